package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/containerpub/cpub/sdk/schema"
)

// Hidden is what is read where a secret was.
const Hidden = "***"

// MinHidden is how many letters and digits a secret has at least that is hidden: shorter ones would be found everywhere.
const MinHidden = 4

// Redactor hides texts in what passes through it. It hides what is written as it is, not what was encoded or cut into pieces. A nil
// Redactor hides nothing. Its methods may be called concurrently.
type Redactor struct {
	texts [][]byte // the longest first
	// Texts by how they begin, so that most places of what passes through are looked at once.
	pairs  [1 << 16]bool
	starts map[string][][]byte // by the first startLength bytes, or all where there are fewer
	short  bool                // there are texts of fewer
}

// startLength is by how many bytes texts are found.
const startLength = 8

// NewRedactor hides these texts, and each of their lines by itself.
func NewRedactor(texts ...string) *Redactor {
	all := map[string]bool{}
	for _, t := range texts {
		for _, part := range append(strings.Split(t, "\n"), t) {
			if part = strings.TrimSpace(part); worthHiding(part) {
				all[part] = true
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	r := &Redactor{starts: map[string][][]byte{}}
	for _, t := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return len(b) - len(a) }) {
		r.texts = append(r.texts, []byte(t))
		r.pairs[pair([]byte(t))] = true
		start := t[:min(len(t), startLength)]
		r.starts[start] = append(r.starts[start], []byte(t))
		r.short = r.short || len(t) < startLength
	}
	return r
}

func worthHiding(s string) bool {
	n := 0
	for _, c := range s {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			n++
		}
	}
	return n >= MinHidden
}

func pair(p []byte) int { return int(p[0])<<8 | int(p[1]) }

// Text is s with the texts hidden.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	out, _, _ := r.hide(nil, []byte(s), 0, true)
	return string(out)
}

// JSON is data with the texts hidden in every string of it, keys too, and in numbers.
func (r *Redactor) JSON(data json.RawMessage) (json.RawMessage, error) {
	if r == nil || len(data) == 0 {
		return data, nil
	}
	v, err := schema.DecodeJSON(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r.value(v))
}

func (r *Redactor) value(v any) any {
	switch v := v.(type) {
	case string:
		return r.Text(v)
	case json.Number:
		if text := r.Text(v.String()); text != v.String() {
			return text
		}
	case []any:
		for i := range v {
			v[i] = r.value(v[i])
		}
	case map[string]any:
		hidden := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			name := r.Text(k)
			for n := 2; ; n++ {
				if _, taken := hidden[name]; !taken {
					break
				}
				name = fmt.Sprintf("%s (%d)", r.Text(k), n)
			}
			hidden[name] = r.value(v[k])
		}
		return hidden
	}
	return v
}

// hide appends p to out with the texts hidden, of which the first bytes are hidden already. What may be the beginning of a text is left over,
// unless p is the last; so many bytes of it are hidden already.
func (r *Redactor) hide(out, p []byte, covered int, last bool) (hidden, rest []byte, still int) {
	for i := range p {
		n, more := r.match(p[i:])
		switch {
		case more && !last:
			return out, p[i:], max(covered-i, 0)
		case n > 0 && i >= covered:
			out = append(out, Hidden...)
		case i >= covered:
			out = append(out, p[i])
		}
		if n > 0 {
			covered = max(covered, i+n)
		}
	}
	return out, nil, 0
}

// match is the length of the longest text at the beginning of p, and whether p may be the beginning of a longer one.
func (r *Redactor) match(p []byte) (n int, more bool) {
	if len(p) < startLength { // the end of what there is
		return longest(r.texts, p)
	}
	if !r.pairs[pair(p)] {
		return 0, false
	}
	n, more = longest(r.starts[string(p[:startLength])], p)
	for size := startLength - 1; r.short && n == 0 && size >= MinHidden; size-- {
		n, _ = longest(r.starts[string(p[:size])], p)
	}
	return n, more
}

// longest is match by looking at each text.
func longest(texts [][]byte, p []byte) (n int, more bool) {
	for _, t := range texts {
		switch {
		case len(t) > len(p):
			more = more || bytes.HasPrefix(t, p)
		case bytes.HasPrefix(p, t):
			return len(t), more
		}
	}
	return 0, more
}

// Writer writes to w with the texts hidden, also those that come in pieces. Close writes what was held back, and leaves w open.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser { return &hiding{r: r, w: w} }

type hiding struct {
	r       *Redactor
	w       io.Writer
	held    []byte
	covered int // of what is held
}

func (h *hiding) Write(p []byte) (int, error) {
	if h.r == nil {
		return h.w.Write(p)
	}
	if err := h.pass(append(h.held, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *hiding) pass(p []byte, last bool) error {
	out, rest, covered := h.r.hide(nil, p, h.covered, last)
	h.held, h.covered = bytes.Clone(rest), covered
	if len(out) == 0 {
		return nil
	}
	_, err := h.w.Write(out)
	return err
}

func (h *hiding) Close() error {
	if h.r == nil || len(h.held) == 0 {
		return nil
	}
	return h.pass(h.held, true)
}
