package sdk

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
)

// Hidden is what is read where a secret was.
const Hidden = "***"

// MinHidden is how many bytes a secret has at least that is hidden: shorter ones would be found everywhere.
const MinHidden = 4

// Redactor hides texts in what passes through it. It hides what is written as it is, not what was encoded or cut into pieces. A nil
// Redactor hides nothing. Its methods may be called concurrently.
type Redactor struct {
	texts []string // the longest first
	first [256]bool
}

// NewRedactor hides these texts, and each of their lines by itself.
func NewRedactor(texts ...string) *Redactor {
	r := &Redactor{}
	for _, t := range texts {
		for _, part := range append(strings.Split(t, "\n"), t) {
			if part = strings.Trim(part, "\r\n"); len(part) >= MinHidden {
				r.texts = append(r.texts, part)
				r.first[part[0]] = true
			}
		}
	}
	slices.SortFunc(r.texts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	r.texts = slices.Compact(r.texts)
	if len(r.texts) == 0 {
		return nil
	}
	return r
}

// Text is s with the texts hidden.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	out, rest := r.hide(nil, []byte(s), true)
	return string(append(out, rest...))
}

// JSON is data with the texts hidden in every string of it; keys too.
func (r *Redactor) JSON(data json.RawMessage) (json.RawMessage, error) {
	if r == nil || len(data) == 0 {
		return data, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(r.value(v))
}

func (r *Redactor) value(v any) any {
	switch v := v.(type) {
	case string:
		return r.Text(v)
	case []any:
		for i := range v {
			v[i] = r.value(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) { // of keys that become the same, the last one stays each time
			out[r.Text(k)] = r.value(v[k])
		}
		return out
	}
	return v
}

// hide appends p to out with the texts hidden. What may be the beginning of one is left over, unless p is the last.
func (r *Redactor) hide(out, p []byte, last bool) (hidden, rest []byte) {
	for i := 0; i < len(p); {
		if !r.first[p[i]] {
			out = append(out, p[i])
			i++
			continue
		}
		n, more := r.match(p[i:])
		switch {
		case more && !last:
			return out, p[i:]
		case n > 0:
			out = append(out, Hidden...)
			i += n
		default:
			out = append(out, p[i])
			i++
		}
	}
	return out, nil
}

// match is the length of the longest text at the beginning of p, and whether p may be the beginning of a longer one.
func (r *Redactor) match(p []byte) (n int, more bool) {
	for _, t := range r.texts {
		switch {
		case len(t) > len(p):
			more = more || strings.HasPrefix(t, string(p))
		case string(p[:len(t)]) == t:
			return len(t), more
		}
	}
	return 0, more
}

// Writer writes to w with the texts hidden, also those that come in pieces. Close writes what was held back, and leaves w open.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser { return &hiding{r: r, w: w} }

type hiding struct {
	r    *Redactor
	w    io.Writer
	held []byte
}

func (h *hiding) Write(p []byte) (int, error) {
	if h.r == nil {
		return h.w.Write(p)
	}
	out, rest := h.r.hide(nil, append(h.held, p...), false)
	h.held = bytes.Clone(rest)
	if len(out) > 0 {
		if _, err := h.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (h *hiding) Close() error {
	if h.r == nil || len(h.held) == 0 {
		return nil
	}
	out, _ := h.r.hide(nil, h.held, true)
	h.held = nil
	_, err := h.w.Write(out)
	return err
}
