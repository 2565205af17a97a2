package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/containerpub/cpub/engine/eval"
)

// Format gives a file in canonical form. A file that does not parse is not formatted: its diagnostics, and no text, are returned. A file
// in JSON syntax has no canonical form, and is given back as it is.
func Format(name string, src []byte) ([]byte, hcl.Diagnostics) {
	if eval.IsJSON(name) {
		return src, nil
	}
	_, _, diags := eval.ParseFile(eval.File{Path: name, Content: src})
	if diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), diags
}
