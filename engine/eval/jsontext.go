package eval

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// jsonComment is the name of properties that say something to the reader alone.
const jsonComment = "//"

// jsonText is what a JSON string says, and where each byte of that stands.
type jsonText struct {
	text string
	// rng is the string's with its quotes, inner without.
	rng, inner hcl.Range
	// places has the place of each byte of text, and of its end; it is nil where there is no escape, and text stands in the file as it is.
	places []hcl.Pos
}

// string reads a string. Its places are kept only where an escape moves them.
func (p *jsonParser) string() (*jsonText, *hcl.Diagnostic) {
	start := p.pos
	p.advance()
	inner := p.pos
	if plain := p.plain(); plain {
		t := &jsonText{text: string(p.src[inner.Byte:p.pos.Byte]), inner: p.from(inner)}
		p.advance()
		t.rng = p.from(start)
		return t, nil
	}
	p.pos = inner
	t := &jsonText{}
	var out []byte
	for p.peek() != '"' {
		at := p.pos
		r, d := p.character(start)
		if d != nil {
			return nil, d
		}
		before := len(out)
		out = utf8.AppendRune(out, r)
		for range out[before:] {
			t.places = append(t.places, at)
		}
	}
	t.places = append(t.places, p.pos)
	t.text, t.inner = string(out), p.from(inner)
	p.advance()
	t.rng = p.from(start)
	return t, nil
}

// plain steps to the quote at the end of a string, or tells that there is an escape, or something wrong, before it.
func (p *jsonParser) plain() bool {
	for !p.end() {
		switch c := p.peek(); {
		case c == '"':
			return true
		case c == '\\' || c < ' ':
			return false
		}
		p.advance()
	}
	return false
}

// character reads one character of a string that began at start.
func (p *jsonParser) character(start hcl.Pos) (rune, *hcl.Diagnostic) {
	switch c := p.peek(); {
	case p.end(), c == '\n', c == '\r':
		return 0, p.fail(start, 1, `This string is not closed on its line. Add a double quote; a line break in a text is \n.`)
	case c < ' ':
		return 0, p.fail(p.pos, 1, `This control character cannot stand in a string. Write it as an escape, such as \t.`)
	case c != '\\':
		r, _ := p.advance()
		return r, nil
	}
	at := p.pos
	p.advance()
	c := p.peek()
	if c == 'u' {
		return p.unicode(at)
	}
	simple := map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
	r, ok := simple[c]
	if !ok {
		return 0, p.fail(at, 2, `There is no such escape in JSON. A backslash itself is written \\.`)
	}
	p.advance()
	return r, nil
}

// unicode reads \uXXXX, and the second half of a pair.
func (p *jsonParser) unicode(at hcl.Pos) (rune, *hcl.Diagnostic) {
	first, ok := p.hex()
	if !ok {
		return 0, p.fail(at, 2, `Four hexadecimal digits must follow \u.`)
	}
	if !utf16.IsSurrogate(first) {
		return first, nil
	}
	if p.peek() == '\\' {
		if p.advance(); p.peek() == 'u' {
			if second, ok := p.hex(); ok {
				if r := utf16.DecodeRune(first, second); r != unicode16Invalid {
					return r, nil
				}
			}
		}
	}
	return 0, p.fail(at, 6, "This is half of a character: two such escapes make one.")
}

// unicode16Invalid is what utf16.DecodeRune gives for halves that do not belong together.
const unicode16Invalid = '\ufffd'

// hex reads uXXXX.
func (p *jsonParser) hex() (rune, bool) {
	from := p.pos.Byte + 1
	if from+4 > len(p.src) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.src[from:from+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	for range 5 {
		p.advance()
	}
	return rune(n), true
}
