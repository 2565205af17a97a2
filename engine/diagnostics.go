package engine

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine/eval"
)

// DiagnosticsError is mistakes of the author's, with their places.
type DiagnosticsError struct {
	Diags hcl.Diagnostics
	// Files are the sources by path, for snippets.
	Files map[string]*hcl.File
}

// maxShown is how many mistakes a message shows; the others are counted.
const maxShown = 10

// Error shows the mistakes, each with file, line, the line itself, and the values that were involved.
func (e *DiagnosticsError) Error() string {
	var b strings.Builder
	shown := 0
	for _, d := range e.Diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		if shown++; shown > maxShown {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		e.write(&b, d)
	}
	if shown > maxShown {
		fmt.Fprintf(&b, "\nand %d more", shown-maxShown)
	}
	return b.String()
}

func (e *DiagnosticsError) write(b *strings.Builder, d *hcl.Diagnostic) {
	if d.Subject == nil {
		fmt.Fprintf(b, "%s: %s", d.Summary, d.Detail)
	} else {
		fmt.Fprintf(b, "%s:%d: %s: %s", d.Subject.Filename, d.Subject.Start.Line, d.Summary, d.Detail)
		if line := e.line(d.Subject); line != "" {
			fmt.Fprintf(b, "\n  %d: %s", d.Subject.Start.Line, line)
		}
	}
	for _, v := range eval.InvolvedIn(d) {
		b.WriteString("\n  " + v.String())
	}
}

// maxLine is how much of a source line is shown.
const maxLine = 160

// line is the source line that a range begins in.
func (e *DiagnosticsError) line(r *hcl.Range) string {
	f := e.Files[r.Filename]
	if f == nil || r.Start.Byte > len(f.Bytes) {
		return ""
	}
	begin := bytes.LastIndexByte(f.Bytes[:r.Start.Byte], '\n') + 1
	line, _, _ := bytes.Cut(f.Bytes[begin:], []byte("\n"))
	text := []rune(strings.TrimSpace(string(line)))
	if len(text) > maxLine {
		return string(text[:maxLine]) + "…"
	}
	return string(text)
}
