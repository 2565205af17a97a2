package provider

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/plugins/archive/internal/extract"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// codeArchive is the code of errors that the archive is to blame for.
const codeArchive = "archive"

type extractInput struct {
	Archive         *sdk.Artifact `json:"archive"`
	Format          string        `json:"format"`
	StripComponents int           `json:"strip_components"`
	Include         []string      `json:"include"`
	Exclude         []string      `json:"exclude"`
	MaxBytes        *schema.Size  `json:"max_bytes"`
	MaxEntries      *int64        `json:"max_entries"`
	MaxRatio        *float64      `json:"max_ratio"`
}

type extractOutput struct {
	Directory *sdk.Artifact `json:"directory"`
	Entries   int64         `json:"entries"`
	Bytes     int64         `json:"bytes"`
	Cached    bool          `json:"cached"`
}

// runExtract carries out archive_extract. An attempt that follows a lost one starts anew: what was lost lay in its scratch
// folder.
func runExtract(ctx context.Context, req *sdk.Request) (any, error) {
	var in extractInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	archive, err := req.Path(in.Archive)
	if err != nil {
		return nil, err
	}
	opts.Progress = func(entries, _ int64) {
		req.Progress(sdk.Progress{Message: "extracting " + in.Archive.Name, Done: entries, Unit: "entries"})
	}
	dest := filepath.Join(req.Scratch, "directory")
	res, err := extract.Extract(ctx, archive, dest, opts)
	if err != nil {
		return nil, explain(err)
	}
	req.Logf("extracted %d entries with %d bytes from %s", res.Entries, res.Bytes, res.Format)
	return extractOutput{Directory: sdk.Directory(dest, stem(in.Archive.Name)), Entries: res.Entries, Bytes: res.Bytes}, nil
}

// options checks the limits, of which zero would mean the default.
func (in extractInput) options() (extract.Options, error) {
	o := extract.Options{
		Format: extract.Format(in.Format), StripComponents: in.StripComponents, Include: in.Include, Exclude: in.Exclude,
	}
	if in.MaxBytes != nil {
		if *in.MaxBytes <= 0 {
			return o, sdk.Invalidf("max_bytes", "max_bytes must be more than 0")
		}
		o.MaxBytes = int64(*in.MaxBytes)
	}
	if in.MaxEntries != nil {
		if *in.MaxEntries <= 0 {
			return o, sdk.Invalidf("max_entries", "max_entries must be more than 0")
		}
		o.MaxEntries = *in.MaxEntries
	}
	if in.MaxRatio != nil {
		if *in.MaxRatio < 1 {
			return o, sdk.Invalidf("max_ratio", "max_ratio must be at least 1")
		}
		o.MaxRatio = *in.MaxRatio
	}
	return o, nil
}

// explain gives an error its kind: an archive does not get better by trying again.
func explain(err error) error {
	var fault *extract.Error
	if !errors.As(err, &fault) {
		return err
	}
	if fault.Attr != "" {
		return &sdk.Error{Kind: sdk.KindInvalid, Attr: fault.Attr, Err: err}
	}
	return &sdk.Error{Kind: sdk.KindPermanent, Code: codeArchive, Err: err}
}

// stem is an archive's name without what says that it is one.
func stem(name string) string {
	for _, f := range append(extract.Formats(), "tgz", "tzst", "txz", "tbz2") {
		if s, ok := strings.CutSuffix(name, "."+string(f)); ok && s != "" {
			return s
		}
	}
	return name
}
