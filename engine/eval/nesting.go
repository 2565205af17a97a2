package eval

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// checkNesting looks at tokens before they are parsed: the parser and the evaluator recurse, and a stack that overflows cannot be
// recovered from. It returns nil when the source nests within MaxDepth and MaxChain.
func checkNesting(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	// chains counts, for each open bracket, the operators since the last comma (or line): each is one recursion.
	chains := []int{0}
	total := 0
	reset := func() {
		total -= chains[len(chains)-1]
		chains[len(chains)-1] = 0
	}
	brace := []bool{true}
	for i := range tokens {
		t := &tokens[i]
		if isLink(t.Type) {
			chains[len(chains)-1]++
			total++
		}
		switch {
		case isOpen(t.Type):
			chains, brace = append(chains, 0), append(brace, t.Type == hclsyntax.TokenOBrace)
		case isClose(t.Type):
			if len(chains) > 1 {
				reset()
				chains, brace = chains[:len(chains)-1], brace[:len(brace)-1]
			}
		case t.Type == hclsyntax.TokenComma, t.Type == hclsyntax.TokenNewline && brace[len(brace)-1]:
			reset()
		}
		if t.Type == hclsyntax.TokenNumberLit && len(t.Bytes) > maxDigits {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Number too large",
				Detail: fmt.Sprintf("A number can have %d digits.", maxDigits), Subject: t.Range.Ptr(),
			}
		}
		if len(chains) > MaxDepth || total > MaxChain {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Nested too deep",
				Detail: fmt.Sprintf("Brackets, templates and blocks may nest %d levels deep, and %d operators may follow each other. "+
					"Use locals to take this apart.", MaxDepth, MaxChain),
				Subject: t.Range.Ptr(),
			}
		}
	}
	return nil
}

func isOpen(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return true
	default:
		return false
	}
}

func isClose(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenTemplateSeqEnd:
		return true
	default:
		return false
	}
}

// isLink tells the tokens that make an expression one level deeper without a bracket that closes again.
func isLink(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang,
		hclsyntax.TokenQuestion, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateControl:
		return true
	default:
		return false
	}
}
