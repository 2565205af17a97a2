package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine/eval"
)

// Style says how diagnostics are shown. The zero value is plain text, relative to the working directory.
type Style struct {
	// Dir is put before the names of files, which are relative to the module's folder.
	Dir   string
	Color bool
	// Width is where details are broken; 0 leaves lines whole.
	Width int
}

const (
	red    = "\x1b[31;1m"
	yellow = "\x1b[33;1m"
	bold   = "\x1b[1m"
	blue   = "\x1b[34m"
	plain  = "\x1b[0m"
)

// WriteDiagnostics writes diagnostics for people: each with its place, the line it is about and the place marked in it. The order is by
// file and place.
func WriteDiagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, style Style) error {
	var b bytes.Buffer
	for i, d := range eval.Sort(diags) {
		if i > 0 {
			b.WriteByte('\n')
		}
		style.write(&b, d, files)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing diagnostics: %w", err)
	}
	return nil
}

func (s Style) write(b *bytes.Buffer, d *hcl.Diagnostic, files map[string]*hcl.File) {
	word, color := "error", red
	if d.Severity == hcl.DiagWarning {
		word, color = "warning", yellow
	}
	fmt.Fprintf(b, "%s: %s\n", s.paint(color, word), s.paint(bold, printable(d.Summary)))
	if d.Subject != nil {
		s.writePlace(b, d.Subject, files, color)
	}
	if d.Detail != "" {
		for line := range strings.SplitSeq(strings.TrimRight(d.Detail, "\n"), "\n") {
			for _, part := range wrap(printable(line), s.Width-2) {
				b.WriteString(strings.TrimRight("  "+part, " ") + "\n")
			}
		}
	}
	for _, v := range eval.InvolvedIn(d) {
		for _, part := range wrap(printable(v.String()), s.Width-2) {
			b.WriteString("  " + part + "\n")
		}
	}
}

func (s Style) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return color + text + plain
}

func (s Style) writePlace(b *bytes.Buffer, r *hcl.Range, files map[string]*hcl.File, color string) {
	fmt.Fprintf(b, "%s %s:%d:%d\n", s.paint(blue, "  -->"), filepath.Join(s.Dir, r.Filename), r.Start.Line, r.Start.Column)
	snip, ok := snippetOf(r, files)
	if !ok {
		return
	}
	number := fmt.Sprint(r.Start.Line)
	gap := strings.Repeat(" ", len(number))
	fmt.Fprintf(b, "%s %s\n", gap, s.paint(blue, "|"))
	fmt.Fprintf(b, "%s %s %s\n", s.paint(blue, number), s.paint(blue, "|"), snip.Code)
	fmt.Fprintf(b, "%s %s %s\n", gap, s.paint(blue, "|"), snip.pad+s.paint(color, snip.marks))
}

// snippet is the line that a range begins on, cut around it where it is long.
type snippet struct {
	Code       string
	pad, marks string
}

// maxLine is how much of a line is shown, in characters.
const maxLine = 120

func snippetOf(r *hcl.Range, files map[string]*hcl.File) (snippet, bool) {
	f := files[r.Filename]
	if f == nil || r.Start.Byte < 0 || r.Start.Byte > len(f.Bytes) || r.End.Byte < r.Start.Byte {
		return snippet{}, false
	}
	begin := bytes.LastIndexByte(f.Bytes[:r.Start.Byte], '\n') + 1
	end := len(f.Bytes)
	if i := bytes.IndexByte(f.Bytes[r.Start.Byte:], '\n'); i >= 0 {
		end = r.Start.Byte + i
	}
	before := []rune(printable(string(f.Bytes[begin:r.Start.Byte])))
	marked := []rune(printable(string(f.Bytes[r.Start.Byte:max(r.Start.Byte, min(end, r.End.Byte))])))
	after := []rune(printable(string(f.Bytes[max(r.Start.Byte, min(end, r.End.Byte)):end])))
	head, tail := "", ""
	if len(before) > maxLine/2 {
		before, head = before[len(before)-maxLine/2:], "…"
	}
	if len(marked) > maxLine {
		marked, after, tail = marked[:maxLine], nil, "…"
	}
	if len(after) > maxLine/2 {
		after, tail = after[:maxLine/2], "…"
	}
	more := ""
	if r.End.Line > r.Start.Line {
		more = "…"
	}
	return snippet{
		Code:  strings.TrimRight(head+string(before)+string(marked)+string(after)+tail, " "),
		pad:   spaces([]rune(head)) + spaces(before),
		marks: strings.Repeat("^", max(1, utf8.RuneCountInString(strings.TrimRight(string(marked), " ")))) + more,
	}, true
}

// spaces is as wide as the text.
func spaces(text []rune) string {
	n := 0
	for _, r := range text {
		if !unicode.Is(unicode.Mn, r) {
			n++
		}
	}
	return strings.Repeat(" ", n)
}

// printable makes tabs one space, and keeps what others wrote from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == '\r':
			return -1
		case !unicode.IsPrint(r) && r != ' ':
			return '\ufffd'
		default:
			return r
		}
	}, s)
}

// wrap breaks a line at spaces.
func wrap(line string, width int) []string {
	if width < 20 {
		return []string{line}
	}
	var out []string
	now := ""
	for _, word := range strings.Fields(line) {
		if now != "" && utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) > width {
			out, now = append(out, now), ""
		}
		if now != "" {
			now += " "
		}
		now += word
	}
	return append(out, now)
}

// Diagnostic is the JSON form of a diagnostic.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	// Range is left out when the diagnostic is about no place in a file.
	Range *Range `json:"range,omitempty"`
	// Snippet is the line that the range begins on.
	Snippet string `json:"snippet,omitempty"`
	// Values are those that were involved in an evaluation, in order of mention. What is sensitive is not in them.
	Values []Value `json:"values,omitempty"`
}

// Value is something that an expression names, and its value in HCL's syntax, cut where it is long.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Range is a place in a file.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a position: line and column (in characters) count from 1, byte from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// JSONDiagnostics gives the JSON form, in the order of WriteDiagnostics. dir is put before the names of files.
func JSONDiagnostics(diags hcl.Diagnostics, files map[string]*hcl.File, dir string) []Diagnostic {
	out := []Diagnostic{}
	for _, d := range eval.Sort(diags) {
		j := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if r := d.Subject; r != nil {
			j.Range = &Range{
				Filename: filepath.Join(dir, r.Filename),
				Start:    Pos{r.Start.Line, r.Start.Column, r.Start.Byte},
				End:      Pos{r.End.Line, r.End.Column, r.End.Byte},
			}
			if s, ok := snippetOf(r, files); ok {
				j.Snippet = s.Code
			}
		}
		for _, v := range eval.InvolvedIn(d) {
			j.Values = append(j.Values, Value(v))
		}
		out = append(out, j)
	}
	return out
}

// MarshalDiagnostics is JSONDiagnostics, encoded.
func MarshalDiagnostics(diags hcl.Diagnostics, files map[string]*hcl.File, dir string) ([]byte, error) {
	b, err := json.Marshal(JSONDiagnostics(diags, files, dir))
	if err != nil {
		return nil, fmt.Errorf("encoding diagnostics: %w", err)
	}
	return b, nil
}
