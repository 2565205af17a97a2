package eval

import (
	"fmt"
	"math/big"

	"github.com/zclconf/go-cty/cty"
)

// The budgets. They are fixed: a plan must evaluate alike on every worker.
const (
	// MaxFileSize is the most bytes that one source file, or one file that file() and its kin read, may have.
	MaxFileSize = 512 << 10
	// MaxDepth is how deep brackets, templates and blocks may nest.
	MaxDepth = 64
	// MaxChain is how many operators may follow each other in one expression, brackets not counted.
	MaxChain = 1000
	// MaxElements is the most elements that one value may have, those of its elements included.
	MaxElements = 100_000
	// MaxBytes is the most bytes that the strings of one value may have together.
	MaxBytes = 1 << 20
	// MaxWork is what one Scope may do: about one for each value that is made, looked at, or passed on.
	MaxWork = 1_000_000
)

// errBudget says which budget ran out. It unwinds an evaluation as a panic, because hcl goes on after diagnostics.
type errBudget struct{ what string }

func (e *errBudget) Error() string { return e.what }

// meter counts the work of one Scope. Once it has run out it stays so, whatever swallows the first refusal.
type meter struct {
	work int
	over *errBudget
	// reported tells that the author knows: what else fails for it is no news.
	reported bool
	// explained counts the diagnostics that show values.
	explained int
}

// charge takes work off the budget, and reports whether there was enough.
func (m *meter) charge(n int) error {
	if m.over == nil && (n < 0 || n > MaxWork-m.work) {
		m.over = &errBudget{fmt.Sprintf("it takes more than the %d operations that are possible in one evaluation", MaxWork)}
	}
	if m.over != nil {
		return m.over
	}
	m.work += n
	return nil
}

// refuse ends the evaluation because a value would be too large.
func (m *meter) refuse(format string, args ...any) error {
	if m.over == nil {
		m.over = &errBudget{fmt.Sprintf(format, args...)}
	}
	return m.over
}

// value charges for looking at all of v and refuses values that are too large.
func (m *meter) value(v cty.Value) error {
	if m.over != nil {
		return m.over
	}
	s := extentOf(v)
	if err := m.charge(s.elements + s.bytes/16 + 1); err != nil {
		return err
	}
	switch {
	case s.long:
		return m.refuse("it divides by zero, or makes a number of more than %d binary digits", maxExponent)
	case s.deep:
		return m.refuse("it makes a value that nests more than %d levels deep", maxValueDepth)
	case s.elements > MaxElements:
		return m.refuse("it makes a value of more than %d elements", MaxElements)
	case s.bytes > MaxBytes:
		return m.refuse("it makes a value of more than %d bytes", MaxBytes)
	}
	return nil
}

// maxValueDepth is how deep values may nest: deeper than MaxDepth, since locals build upon each other.
const maxValueDepth = 128

// extent is how large a value is, counted as if nothing in it were shared. Counting stops when a limit is passed.
type extent struct {
	elements, bytes int
	deep            bool // beyond maxValueDepth
	long            bool // a number beyond maxExponent
}

func extentOf(v cty.Value) extent {
	s := extent{}
	s.add(v, 0)
	return s
}

// maxExponent bounds numbers to about 1200 digits: as text, a number such as 1e999999999 would fill the memory.
const maxExponent = 4096

// isLong tells whether a number is beyond maxExponent, in either direction, or infinite.
func isLong(f *big.Float) bool {
	exp := f.MantExp(nil)
	return f.IsInf() || exp > maxExponent || exp < -maxExponent
}

func (s *extent) full() bool {
	return s.deep || s.long || s.elements > MaxElements || s.bytes > MaxBytes
}

func (s *extent) add(v cty.Value, depth int) {
	s.elements++
	if v == cty.NilVal || s.full() {
		return
	}
	v, _ = v.Unmark()
	ty := v.Type()
	if v.IsNull() || !v.IsKnown() {
		return
	}
	switch {
	case ty == cty.String:
		s.bytes += len(v.AsString())
	case ty == cty.Number:
		s.long = s.long || isLong(v.AsBigFloat())
	case v.CanIterateElements():
		if depth >= maxValueDepth {
			s.deep = true
			return
		}
		for it := v.ElementIterator(); it.Next() && !s.full(); {
			k, e := it.Element()
			if k.Type() == cty.String && k.IsKnown() {
				s.bytes += len(k.AsString())
			}
			s.add(e, depth+1)
		}
	}
}
