package provider

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/fetch"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
	"github.com/containerpub/cpub/plugins/s3/internal/put"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// settings is the config block of worker.hcl.
type settings struct {
	Endpoint        string       `json:"endpoint"`
	Region          string       `json:"region"`
	PathStyle       bool         `json:"path_style"`
	AccessKeyID     string       `json:"access_key_id"`
	SecretAccessKey string       `json:"secret_access_key"`
	SessionToken    string       `json:"session_token"`
	Profile         string       `json:"profile"`
	PartSize        *schema.Size `json:"part_size"`
	Concurrency     int          `json:"concurrency"`
}

func configSchema() schema.Object {
	text := func(name, doc string) schema.Attr { return schema.Attr{Name: name, Type: cty.String, Doc: doc} }
	secret := func(name, doc string) schema.Attr {
		a := text(name, doc)
		a.Sensitive = true
		return a
	}
	return schema.Object{Attrs: []schema.Attr{
		text("endpoint", "URL of the store, such as `http://127.0.0.1:9000`; Amazon S3, or what the AWS SDK's own chain names, if left out."),
		text("region", "The region; from the AWS SDK's own chain if left out, and `us-east-1` at endpoints where nothing names one."),
		{Name: "path_style", Type: cty.Bool, Default: "false", Doc: "Address buckets as `ENDPOINT/BUCKET`: what most stores other than Amazon's want."},
		text("access_key_id", "The access key id; credentials come from the AWS SDK's own chain if left out."),
		secret("secret_access_key", "The secret that belongs to `access_key_id`."),
		secret("session_token", "The session token that belongs to temporary credentials."),
		text("profile", "A profile of the AWS configuration files."),
		{
			Name: "part_size", Type: cty.String, Format: schema.FormatSize, Default: `"16MiB"`,
			Doc: "The size of ranges that are downloaded, and of parts that are uploaded, at once: 5 MiB to 1 GiB.",
		},
		{Name: "concurrency", Type: cty.Number, Default: "8", Doc: "How many ranges of one object are downloaded at once: 1 to 64. Uploads send half as many parts, and hold each in memory."},
	}}
}

const maxPartSize = 1 << 30

func (s settings) validate() error {
	if s.PartSize != nil && (*s.PartSize < put.MinPartSize || *s.PartSize > maxPartSize) {
		return sdk.Invalidf("part_size", "part_size = %s: it must be from 5MiB to 1GiB", *s.PartSize)
	}
	if s.Concurrency < 0 || s.Concurrency > fetch.MaxConcurrency {
		return sdk.Invalidf("concurrency", "concurrency = %d: it must be from 1 to %d", s.Concurrency, fetch.MaxConcurrency)
	}
	return nil
}

func (s settings) client() client.Config {
	return client.Config{
		Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle, Profile: s.Profile,
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken,
	}
}

// parts are the configured ones; what is left out is zero.
func (s settings) parts() parts.Parts {
	p := parts.Parts{Concurrency: s.Concurrency}
	if s.PartSize != nil {
		p.PartSize = int64(*s.PartSize)
	}
	return p
}
