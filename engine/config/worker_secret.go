package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Secret is what steps may get at by secret(): nobody who is not named.
type Secret struct {
	sdk.Secret

	// Allow are the instances that get it, such as "podman.local".
	Allow []string
	// Range is where that is written.
	Range hcl.Range
}

// maxSecret is the most bytes of a secret, maxSecrets of all that an instance gets: they travel in one message.
const (
	maxSecret  = 64 << 10
	maxSecrets = 512 << 10
)

// secret reads `secret "NAME" { file allow step_types }`. allow names instances as pipelines do, without quotes.
func (r workerReader) secret(b *hclsyntax.Block) hcl.Diagnostics {
	s := Secret{Secret: sdk.Secret{Name: b.Labels[0]}, Range: b.DefRange()}
	var diags hcl.Diagnostics
	if !eval.ValidSecretName(s.Name) {
		diags = append(diags, wrong(b.LabelRanges[0], "Invalid name", fmt.Sprintf("%q cannot be a secret's name: it takes letters, digits and _, and does not start with a digit.", s.Name)))
	}
	allow, own := b.Body.Attributes["allow"], *b
	own.Body = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, Blocks: b.Body.Blocks, SrcRange: b.Body.SrcRange, EndRange: b.Body.EndRange}
	for name, a := range b.Body.Attributes {
		if name != "allow" {
			own.Body.Attributes[name] = a
		}
	}
	var attrs struct {
		File      string   `json:"file"`
		StepTypes []string `json:"step_types"`
	}
	diags = append(diags, decodeInto(&own, "a secret", schema.Object{Attrs: []schema.Attr{
		required(text("file")), {Name: "allow", Type: cty.DynamicPseudoType}, {Name: "step_types", Type: cty.List(cty.String)},
	}}, &attrs)...)
	s.StepTypes = attrs.StepTypes
	if set, ok := b.Body.Attributes["step_types"]; ok && len(s.StepTypes) == 0 && !diags.HasErrors() {
		diags = append(diags, wrong(set.Expr.Range(), "Wrong value", `"step_types" names at least one step type; leave it out to allow all.`))
	}
	if allow == nil {
		diags = append(diags, wrong(b.DefRange(), "Missing attribute", "A secret needs `allow = [NAME.INSTANCE]`, such as [podman.local]: the instances that get it."))
	} else {
		var more hcl.Diagnostics
		s.Range = allow.Expr.Range()
		s.Allow, more = instanceNames(allow)
		diags = append(diags, more...)
	}
	if attrs.File != "" {
		var more hcl.Diagnostics
		s.Value, more = r.secretValue(b, attrs.File)
		diags = append(diags, more...)
	}
	r.w.Secrets = append(r.w.Secrets, s)
	return diags
}

// secretValue is what a file holds, without the line break at its end.
func (r workerReader) secretValue(b *hclsyntax.Block, path string) (string, hcl.Diagnostics) {
	content, diags := r.secretFile(b, "file", path)
	if diags.HasErrors() {
		return "", diags
	}
	content = strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
	problem := ""
	switch {
	case content == "":
		problem = "it is empty"
	case len(content) > maxSecret:
		problem = fmt.Sprintf("it has %d bytes, more than %d", len(content), maxSecret)
	case !utf8.ValidString(content) || strings.ContainsRune(content, 0):
		problem = "it is no text; encode it, for example with base64"
	}
	if problem != "" {
		return "", hcl.Diagnostics{wrong(b.Body.Attributes["file"].Expr.Range(), "Wrong secret", fmt.Sprintf("%s cannot be a secret: %s.", path, problem))}
	}
	return content, nil
}

// instanceNames reads a list of instances, written without quotes.
func instanceNames(a *hclsyntax.Attribute) ([]string, hcl.Diagnostics) {
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() || len(list) == 0 {
		return nil, hcl.Diagnostics{wrong(a.Expr.Range(), "Wrong value", fmt.Sprintf("%q takes a list of instances, such as [podman.local].", a.Name))}
	}
	var names []string
	for _, e := range list {
		id, ok := eval.InstanceName(e)
		if !ok {
			return nil, hcl.Diagnostics{wrong(e.Range(), "Wrong value", fmt.Sprintf("%q takes instances, such as podman.local, without quotes.", a.Name))}
		}
		names = append(names, id)
	}
	return names, nil
}

// SecretsOf are the secrets that an instance is granted.
func (w *Worker) SecretsOf(p Provider) (out []sdk.Secret) {
	for _, s := range w.Secrets {
		if slices.Contains(s.Allow, p.ID()) {
			out = append(out, s.Secret)
		}
	}
	return out
}
