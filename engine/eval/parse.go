package eval

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// File is one source file. Path is relative to the module's folder, with slashes.
type File struct {
	Path    string
	Content []byte
}

// Module is what a folder of pipeline files declares, in order of path and place.
type Module struct {
	// Files are the parsed files by path, for snippets.
	Files     map[string]*hcl.File
	Variables []*Variable
	Locals    []*Local
	Pipelines []*Pipeline
	Schedules []*Schedule
	// RequiredVersion is the constraint of `cpub { required_version }`, or nil; Requirements are its further content's ranges.
	RequiredVersion *VersionConstraint
	// Broken tells that a file has a syntax error, so that what seems missing may only be unread.
	Broken bool
}

// Parse reads *.hcl files, and *.hcl.json, the same language in JSON. The diagnostics are complete, also where the module is only partly readable, and sorted; the module is
// never nil and holds what could be read.
func Parse(files []File) (m *Module, diags hcl.Diagnostics) {
	m = &Module{Files: map[string]*hcl.File{}}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var bodies []*hclsyntax.Body
	for _, f := range files {
		body, more := m.parseFile(f)
		diags = append(diags, more...)
		if body != nil {
			bodies = append(bodies, body)
		}
	}
	m.Broken = diags.HasErrors()
	var more hcl.Diagnostics
	for _, b := range bodies {
		more = append(more, m.readFile(b)...)
	}
	diags = append(diags, Apart(diags, more)...)
	diags = append(diags, m.checkNames()...)
	return m, Sort(diags)
}

// Apart gives what is in more and does not lie where a known error is: there it is that error once more, in other words.
func Apart(known, more hcl.Diagnostics) (out hcl.Diagnostics) {
	for _, d := range more {
		repeated := slices.ContainsFunc(known, func(k *hcl.Diagnostic) bool {
			return k.Subject != nil && d.Subject != nil && k.Severity == hcl.DiagError && k.Subject.Overlaps(*d.Subject)
		})
		if !repeated {
			out = append(out, d)
		}
	}
	return out
}

func (m *Module) parseFile(f File) (*hclsyntax.Body, hcl.Diagnostics) {
	body, file, diags := parseSource(f)
	m.Files[f.Path] = file
	return body, diags
}

// ParseFile reads one native HCL file within the budgets, and prepares its expressions for a Scope. The body is nil when nothing of it can
// be used; the file is always there, for snippets.
func ParseFile(f File) (body *hclsyntax.Body, file *hcl.File, diags hcl.Diagnostics) {
	place := hcl.Range{Filename: f.Path, Start: hcl.InitialPos, End: hcl.InitialPos}
	file = &hcl.File{Bytes: f.Content}
	if d := readableText(f, place); d != nil {
		return nil, file, hcl.Diagnostics{d}
	}
	defer recoverTo(&diags, place.Ptr())
	tokens, _ := hclsyntax.LexConfig(f.Content, f.Path, hcl.InitialPos)
	if d := checkNesting(tokens); d != nil {
		return nil, file, hcl.Diagnostics{d}
	}
	parsed, diags := hclsyntax.ParseConfig(f.Content, f.Path, hcl.InitialPos)
	diags = remedySyntax(limit(diags), f.Content) // in the order of the file
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return nil, file, diags
	}
	diags = append(diags, checkNumbers(body)...)
	instrumentBody(body)
	return body, parsed, Sort(diags)
}

// limit keeps the first diagnostics of a file that is not HCL at all. A quote that is not closed makes every line after it one.
func limit(diags hcl.Diagnostics) hcl.Diagnostics {
	const (
		most  = 50
		quote = "Invalid multi-line string"
	)
	diags = Sort(diags)
	if i := slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary == quote }); i >= 0 {
		diags = diags[:i+1]
	}
	if len(diags) > most {
		return diags[:most]
	}
	return diags
}

// readableText reports a file that is too large, or no text.
func readableText(f File, place hcl.Range) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &place}
	switch {
	case len(f.Content) > MaxFileSize:
		d.Summary = "File too large"
		d.Detail = fmt.Sprintf("A file may have %d bytes; this one has %d. Split it.", MaxFileSize, len(f.Content))
	case !utf8.Valid(f.Content):
		d.Summary = "Not a text file"
		d.Detail = "Pipeline files are UTF-8. Save this one in that encoding."
		d.Subject = notUTF8(f).Ptr()
	case bytes.IndexByte(f.Content, 0) >= 0:
		d.Summary = "Not a text file"
		d.Detail = "There is a zero byte in this file."
	default:
		return nil
	}
	return d
}

// notUTF8 is the place of the first byte that is not UTF-8.
func notUTF8(f File) hcl.Range {
	p := jsonParser{src: f.Content, file: f.Path, pos: hcl.InitialPos}
	for !p.end() {
		at := p.pos
		if r, size := p.advance(); r == utf8.RuneError && size == 1 {
			return p.from(at)
		}
	}
	return p.from(p.pos)
}

// recoverTo turns a panic into a diagnostic, which is what a fault of a library's on strange input becomes. A budget that ran out is
// a diagnostic of its own.
func recoverTo(diags *hcl.Diagnostics, subject *hcl.Range) {
	r := recover()
	if r == nil {
		return
	}
	if b, ok := r.(*errBudget); ok {
		*diags = append(*diags, overBudget(b, subject))
		return
	}
	*diags = append(*diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Internal error",
		Detail:   fmt.Sprintf("cpub failed to evaluate this: %v. Please report it, with the file.", r),
		Subject:  subject,
	})
}

func overBudget(b *errBudget, subject *hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Evaluation takes too much",
		Detail:   fmt.Sprintf("This was stopped: %s. Do it in a step instead, or with less data.", b.what),
		Subject:  subject,
	}
}

// Sort orders diagnostics by file, place and text, and drops repeated ones. HCL's own come in varying order.
func Sort(diags hcl.Diagnostics) hcl.Diagnostics {
	diags = slices.Clone(diags)
	slices.SortStableFunc(diags, compareDiagnostics)
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool { return compareDiagnostics(a, b) == 0 })
}

func compareDiagnostics(a, b *hcl.Diagnostic) int {
	place := func(d *hcl.Diagnostic) (string, int, int) {
		if d.Subject == nil {
			return "", 0, 0
		}
		return d.Subject.Filename, d.Subject.Start.Byte, d.Subject.End.Byte
	}
	fa, sa, ea := place(a)
	fb, sb, eb := place(b)
	if c := strings.Compare(fa, fb); c != 0 {
		return c
	}
	if sa != sb {
		return sa - sb
	}
	if ea != eb {
		return ea - eb
	}
	if a.Severity != b.Severity {
		return int(a.Severity) - int(b.Severity)
	}
	if c := strings.Compare(a.Summary, b.Summary); c != 0 {
		return c
	}
	return strings.Compare(a.Detail, b.Detail)
}
