package eval

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// text gives a known string argument, or "".
func text(v cty.Value) string {
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// length gives how many elements a known collection has, or 0.
func length(v cty.Value) int {
	if !v.IsKnown() || !v.CanIterateElements() {
		return 0
	}
	return v.LengthInt()
}

// output refuses results of more than so many bytes.
func (m *meter) output(bytes int) error {
	if bytes < 0 || bytes > MaxBytes {
		return m.refuse("it makes a text of more than %d bytes", MaxBytes)
	}
	return m.charge(bytes / 16)
}

// guardSquare is for functions that compare every element with every other one.
func guardSquare(m *meter, args []cty.Value) error {
	n := 0
	for _, a := range args {
		n = max(n, length(a))
	}
	return m.charge(n * n / 4)
}

// unifying charges for making a value's elements alike, where cty compares the type of each with each.
func (m *meter) unifying(v cty.Value) error {
	v, _ = v.Unmark()
	if t := v.Type(); !t.IsTupleType() && !t.IsObjectType() {
		return nil
	}
	n := length(v)
	return m.charge(n * n / 64)
}

func guardUnify(m *meter, args []cty.Value) error {
	for _, a := range args {
		if err := m.unifying(a); err != nil {
			return err
		}
	}
	return nil
}

// guardPair is for functions that look at all of one text for each character of another.
func guardPair(m *meter, args []cty.Value) error {
	return m.charge(len(text(args[0])) / 16 * (len(text(args[1]))/16 + 1))
}

func guardJoin(m *meter, args []cty.Value) error {
	n, total := 0, 0
	for _, list := range args[1:] {
		n += length(list)
		total += extentOf(list).bytes
	}
	return m.output(total + n*len(text(args[0])))
}

func guardIndent(m *meter, args []cty.Value) error {
	if !args[0].IsKnown() || args[0].IsNull() {
		return nil
	}
	spaces, _ := args[0].AsBigFloat().Int64()
	if spaces < 0 {
		return function.NewArgErrorf(0, "it must not be negative")
	}
	if spaces > MaxBytes {
		return m.output(-1)
	}
	s := text(args[1])
	return m.output(len(s) + int(spaces)*strings.Count(s, "\n"))
}

func guardProduct(m *meter, args []cty.Value) error {
	if err := guardUnify(m, args); err != nil {
		return err
	}
	n := 1
	for _, a := range args {
		n *= length(a)
		if n*len(args) > MaxElements {
			return m.refuse("it makes a value of more than %d elements", MaxElements)
		}
	}
	return m.charge(n * len(args))
}

// guardFormat counts what widths, precisions and repeated arguments may make of a format.
func guardFormat(m *meter, args []cty.Value) error {
	format := text(args[0])
	verbs, widths := 0, 0
	for rest := format; ; verbs++ {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			break
		}
		end := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("+-# 0123456789.[]", r) })
		if end < 0 {
			break
		}
		for _, digits := range strings.FieldsFunc(after[:end], func(r rune) bool { return r < '0' || r > '9' }) {
			n, err := strconv.Atoi(digits)
			if err != nil || n > MaxBytes {
				return m.output(-1)
			}
			widths += n
		}
		rest = after[end:]
	}
	largest, repeat := 0, 1
	for _, a := range args[1:] {
		if longText(a) && strings.ContainsAny(format, "bdoxXeEfgG") {
			return m.refuse("it formats a text of more than %d characters, perhaps as a number", maxDigits)
		}
		if err := m.exponents(a); err != nil {
			return err
		}
		largest, repeat = max(largest, extentOf(a).bytes), max(repeat, length(a))
	}
	return m.output((len(format) + widths + verbs*largest) * repeat)
}

// exponents refuses texts that format would take as numbers of too many digits.
func (m *meter) exponents(v cty.Value) error {
	s := text(v)
	if len(s) > maxDigits || strings.Trim(s, "0123456789.eE+-") != "" || s == "" {
		return nil
	}
	if n, err := cty.ParseNumberVal(s); err == nil && isLong(n.AsBigFloat()) {
		return m.refuse("it makes a number of more than %d binary digits", maxExponent)
	}
	return nil
}

func guardDigits(m *meter, args []cty.Value) error { return m.number(args[0]) }

// guardNumbers refuses JSON that takes long to read: with long numbers, or deep; cty reads each level again.
func guardNumbers(m *meter, args []cty.Value) error {
	run, depth := 0, 0
	for _, c := range []byte(text(args[0])) {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > maxValueDepth {
			return m.refuse("it makes a value that nests more than %d levels deep", maxValueDepth)
		}
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run > maxDigits {
			return m.refuse("it reads a number of more than %d digits", maxDigits)
		}
	}
	return m.charge(2 * len(text(args[0])))
}

// maxPattern is how long a regular expression may be: matching takes its length times the text's.
const maxPattern = 1000

func guardRegex(m *meter, args []cty.Value) error {
	pattern, s := text(args[0]), text(args[1])
	if len(pattern) > maxPattern {
		return m.refuse("its regular expression has more than %d characters", maxPattern)
	}
	return m.charge(len(s)/64*(len(pattern)+1) + len(pattern))
}

func guardReplace(m *meter, args []cty.Value) error {
	s, old, replacement := text(args[0]), text(args[1]), text(args[2])
	pattern, isRegex := regexPattern(old)
	if !isRegex {
		return m.output(len(s) + strings.Count(s, old)*len(replacement))
	}
	if err := guardRegex(m, []cty.Value{cty.StringVal(pattern), args[0]}); err != nil {
		return err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil //nolint:nilerr // the function itself says so
	}
	found := len(re.FindAllStringIndex(s, -1))
	return m.output(len(s)*(1+strings.Count(replacement, "$")) + found*len(replacement))
}

// regexPattern gives the pattern of "/pattern/".
func regexPattern(s string) (string, bool) {
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		return s[1 : len(s)-1], true
	}
	return "", false
}
