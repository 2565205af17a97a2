package eval

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// jsonNode is one value of a JSON file, with its place.
type jsonNode struct {
	kind jsonKind
	rng  hcl.Range
	// raw is the literal of a number or a word.
	raw string
	// text is what a string says.
	text *jsonText
	// members of an object, and items of an array.
	members []jsonMember
	items   []*jsonNode
	// expr is the node as an expression, once it was made into one.
	expr hclsyntax.Expression
}

type jsonMember struct {
	name  *jsonText
	colon hcl.Range
	value *jsonNode
}

type jsonKind string

const (
	jsonObject jsonKind = "an object"
	jsonArray  jsonKind = "an array"
	jsonString jsonKind = "a string"
	jsonNumber jsonKind = "a number"
	jsonBool   jsonKind = "a bool"
	jsonNull   jsonKind = "null"
)

// jsonParser reads JSON (RFC 8259) with the place of everything, which encoding/json does not tell.
type jsonParser struct {
	src   []byte
	file  string
	pos   hcl.Pos
	depth int
}

// parseJSON reads a whole file. It stops at the first thing that is no JSON.
func parseJSON(file string, src []byte) (node *jsonNode, d *hcl.Diagnostic) {
	p := &jsonParser{src: src, file: file, pos: hcl.InitialPos}
	if strings.HasPrefix(string(src), "\ufeff") {
		return nil, p.fail(p.pos, 3, "The file begins with a byte order mark. Save it as UTF-8 without one.")
	}
	p.space()
	if p.end() {
		return nil, p.fail(p.pos, 0, "The file is empty. Write at least an object: {}.")
	}
	if node, d = p.value(); d != nil {
		return nil, d
	}
	if p.space(); !p.end() {
		return nil, p.fail(p.pos, 1, "Something follows the value that the file is. Take it out.")
	}
	return node, nil
}

func (p *jsonParser) end() bool { return p.pos.Byte >= len(p.src) }

// peek gives the next byte, or 0 at the end: no JSON has a zero byte.
func (p *jsonParser) peek() byte {
	if p.end() {
		return 0
	}
	return p.src[p.pos.Byte]
}

// advance steps over one character. Marks that change the one before take no column.
func (p *jsonParser) advance() (r rune, size int) {
	r, size = utf8.DecodeRune(p.src[p.pos.Byte:])
	p.pos.Byte += size
	switch {
	case r == '\n':
		p.pos.Line, p.pos.Column = p.pos.Line+1, 1
	case r >= utf8.RuneSelf && unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
	default:
		p.pos.Column++
	}
	return r, size
}

func (p *jsonParser) space() {
	for !p.end() && strings.IndexByte(" \t\r\n", p.src[p.pos.Byte]) >= 0 {
		p.advance()
	}
}

func (p *jsonParser) from(start hcl.Pos) hcl.Range {
	return hcl.Range{Filename: p.file, Start: start, End: p.pos}
}

// fail is about so many bytes from a place on, all on its line.
func (p *jsonParser) fail(at hcl.Pos, bytes int, detail string) *hcl.Diagnostic {
	end := at
	end.Byte, end.Column = min(at.Byte+bytes, len(p.src)), at.Column+bytes
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Invalid JSON", Detail: detail, Subject: &hcl.Range{Filename: p.file, Start: at, End: end},
	}
}

// unexpected says what should be here instead of what is.
func (p *jsonParser) unexpected(want string) *hcl.Diagnostic {
	if p.end() {
		return p.fail(p.pos, 0, "The file ends here; "+want+" is missing.")
	}
	if c := p.peek(); c == '/' || c == '#' {
		return p.fail(p.pos, 1, `JSON has no comments. Write a property named "//" with the text as its value.`)
	}
	_, size := utf8.DecodeRune(p.src[p.pos.Byte:])
	return p.fail(p.pos, size, fmt.Sprintf("There should be %s here.", want))
}

func (p *jsonParser) value() (*jsonNode, *hcl.Diagnostic) {
	start := p.pos
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if p.depth++; p.depth > MaxDepth {
			return nil, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Nested too deep", Subject: p.fail(start, 1, "").Subject,
				Detail: fmt.Sprintf("Objects and arrays may nest %d levels deep. Use locals to take this apart.", MaxDepth),
			}
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object(start)
		}
		return p.array(start)
	case c == '"':
		text, d := p.string()
		if d != nil {
			return nil, d
		}
		return &jsonNode{kind: jsonString, text: text, rng: text.rng}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number(start)
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return p.word(start)
	default:
		return nil, p.unexpected("a value")
	}
}

func (p *jsonParser) object(start hcl.Pos) (*jsonNode, *hcl.Diagnostic) {
	n := &jsonNode{kind: jsonObject}
	seen := map[string]int{}
	p.advance()
	for p.space(); p.peek() != '}'; p.space() {
		if len(n.members) > 0 {
			if d := p.comma("}"); d != nil {
				return nil, d
			}
		}
		m, d := p.member()
		if d != nil {
			return nil, d
		}
		if line, again := seen[m.name.text]; again && m.name.text != jsonComment {
			return nil, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Duplicate property", Subject: m.name.rng.Ptr(),
				Detail: fmt.Sprintf("There is a property %q in this object already, on line %d. Several blocks of one name are an array.", cut(m.name.text, 80), line),
			}
		}
		seen[m.name.text] = m.name.rng.Start.Line
		n.members = append(n.members, m)
	}
	p.advance()
	n.rng = p.from(start)
	return n, nil
}

// comma steps over the comma before a further member or item.
func (p *jsonParser) comma(end string) *hcl.Diagnostic {
	if p.peek() != ',' {
		return p.unexpected("a comma or " + end)
	}
	at := p.pos
	p.advance()
	if p.space(); p.peek() == '}' || p.peek() == ']' {
		return p.fail(at, 1, "JSON has no comma after the last element. Take it out.")
	}
	return nil
}

func (p *jsonParser) member() (m jsonMember, d *hcl.Diagnostic) {
	if p.peek() != '"' {
		return m, p.unexpected("a name in double quotes")
	}
	if m.name, d = p.string(); d != nil {
		return m, d
	}
	p.space()
	at := p.pos
	if p.peek() != ':' {
		return m, p.unexpected("a colon and a value")
	}
	p.advance()
	m.colon = p.from(at)
	p.space()
	m.value, d = p.value()
	return m, d
}

func (p *jsonParser) array(start hcl.Pos) (*jsonNode, *hcl.Diagnostic) {
	n := &jsonNode{kind: jsonArray}
	p.advance()
	for p.space(); p.peek() != ']'; p.space() {
		if len(n.items) > 0 {
			if d := p.comma("]"); d != nil {
				return nil, d
			}
		}
		item, d := p.value()
		if d != nil {
			return nil, d
		}
		n.items = append(n.items, item)
	}
	p.advance()
	n.rng = p.from(start)
	return n, nil
}

func (p *jsonParser) word(start hcl.Pos) (*jsonNode, *hcl.Diagnostic) {
	for c := p.peek(); c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'; c = p.peek() {
		p.advance()
	}
	n := &jsonNode{kind: jsonBool, rng: p.from(start), raw: string(p.src[start.Byte:p.pos.Byte])}
	switch n.raw {
	case "true", "false":
	case "null":
		n.kind = jsonNull
	default:
		return nil, p.fail(start, len(n.raw), fmt.Sprintf("%q is no JSON. A text needs double quotes; the words are true, false and null.", cut(n.raw, 80)))
	}
	return n, nil
}

func (p *jsonParser) number(start hcl.Pos) (*jsonNode, *hcl.Diagnostic) {
	for strings.IndexByte("+-.0123456789eE", p.peek()) >= 0 {
		p.advance()
	}
	n := &jsonNode{kind: jsonNumber, rng: p.from(start), raw: string(p.src[start.Byte:p.pos.Byte])}
	if !validJSONNumber(n.raw) {
		return nil, p.fail(start, len(n.raw), fmt.Sprintf("%q is no number in JSON: it is written like 10, -1.5 or 2e9.", cut(n.raw, 80)))
	}
	if _, err := parseNumber(n.raw); err != nil {
		return nil, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Number too large", Subject: n.rng.Ptr(),
			Detail: fmt.Sprintf("A number can have %d digits.", maxDigits),
		}
	}
	return n, nil
}

// validJSONNumber tells -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func validJSONNumber(s string) bool {
	digits := func() (n int) {
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n
	}
	s = strings.TrimPrefix(s, "-")
	zero := strings.HasPrefix(s, "0")
	if n := digits(); n == 0 || zero && n > 1 {
		return false
	}
	if rest, point := strings.CutPrefix(s, "."); point {
		if s = rest; digits() == 0 {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if digits() == 0 {
			return false
		}
	}
	return s == ""
}
