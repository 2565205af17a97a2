package config

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

const (
	maxConcurrent = 10_000
	// maxSecretFile is the most that a password or certificate file may have.
	maxSecretFile = 1 << 20
)

var ctyString = cty.String

func (r workerReader) provider(b *hclsyntax.Block) hcl.Diagnostics {
	p := Provider{Name: b.Labels[0], Instance: b.Labels[1], Range: b.DefRange()}
	var diags hcl.Diagnostics
	for i, label := range b.Labels {
		if !validID(label) {
			diags = append(diags, wrong(b.LabelRanges[i], "Invalid name", fmt.Sprintf("%q cannot be a name: it takes lower-case letters, digits, _ and -, and starts with a letter.", label)))
		}
	}
	own := *b
	own.Body = &hclsyntax.Body{Attributes: b.Body.Attributes, SrcRange: b.Body.SrcRange, EndRange: b.Body.EndRange}
	for _, inner := range b.Body.Blocks {
		switch {
		case inner.Type != "config":
			own.Body.Blocks = append(own.Body.Blocks, inner) // reported by the decoder
		case p.config != nil:
			diags = append(diags, wrong(inner.DefRange(), "Repeated block", "A provider has one config block."))
		default:
			diags = append(diags, wantLabels(inner)...)
			p.config = inner.Body
		}
	}
	var attrs struct {
		Path          string            `json:"path"`
		SHA256        string            `json:"sha256"`
		MaxConcurrent float64           `json:"max_concurrent"`
		Env           map[string]string `json:"env"`
	}
	diags = append(diags, decodeInto(&own, "a provider", schema.Object{Attrs: []schema.Attr{
		text("path"), text("sha256"), {Name: "max_concurrent", Type: cty.Number}, {Name: "env", Type: cty.Map(cty.String)},
	}}, &attrs)...)
	p.Path, p.SHA256, p.Env = attrs.Path, strings.ToLower(attrs.SHA256), attrs.Env
	if sum, err := hex.DecodeString(p.SHA256); p.SHA256 != "" && (err != nil || len(sum) != 32) {
		diags = append(diags, wrong(b.Body.Attributes["sha256"].Expr.Range(), "Wrong value", `"sha256" takes 64 hex digits, as sha256sum prints them.`))
	}
	p.MaxConcurrent = int(attrs.MaxConcurrent)
	if set, ok := b.Body.Attributes["max_concurrent"]; ok && !diags.HasErrors() &&
		(float64(p.MaxConcurrent) != attrs.MaxConcurrent || p.MaxConcurrent < 1 || p.MaxConcurrent > maxConcurrent) {
		diags = append(diags, wrong(set.Expr.Range(), "Wrong value", fmt.Sprintf(`"max_concurrent" takes a whole number from 1 to %d.`, maxConcurrent)))
	}
	r.w.Providers = append(r.w.Providers, p)
	return diags
}

// validID keeps names usable in queue names and file names.
func validID(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && (i == 0 || c != '_' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// DecodeConfig checks the instance's config block against the provider's own schema and gives it as JSON, an empty object when there is no
// block.
func (p Provider) DecodeConfig(shape schema.Object) (json.RawMessage, hcl.Diagnostics) {
	body, at := p.config, p.Range
	if body == nil {
		body = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: at, EndRange: at}
	}
	v, diags := eval.Constants().Decode(body, shape, fmt.Sprintf("the config of provider %q", p.Name), at)
	if diags.HasErrors() {
		return nil, diags
	}
	data, err := eval.JSON(eval.Plain(v))
	if err != nil {
		return nil, append(diags, wrong(at, "Wrong value", fmt.Sprintf("The config of provider %q cannot be read: %s.", p.Name, err)))
	}
	return data, diags
}

func (r workerReader) serve(b *hclsyntax.Block) hcl.Diagnostics {
	diags := eval.CheckContent(b.Body, "a serve block", []string{"provider"}, nil, nil)
	set, ok := b.Body.Attributes["provider"]
	if !ok {
		return append(diags, wrong(b.DefRange(), "Missing attribute", "A serve block needs `provider = NAME.INSTANCE`, such as podman.local."))
	}
	id, ok := eval.InstanceName(set.Expr)
	if !ok {
		return append(diags, wrong(set.Expr.Range(), "Wrong value", `"provider" takes an instance, such as podman.local, without quotes.`))
	}
	r.w.Serve = append(r.w.Serve, Serve{StepType: b.Labels[0], Instance: id, Range: set.Expr.Range()})
	return diags
}

// checkInstances reports instances that step types or secrets are given to, and that are not declared.
func (w *Worker) checkInstances() (diags hcl.Diagnostics) {
	var ids []string
	for _, p := range w.Providers {
		ids = append(ids, p.ID())
	}
	check := func(id string, at hcl.Range) {
		if slices.Contains(ids, id) {
			return
		}
		remedy := "Declare it with a provider block."
		if hint := eval.Suggest(id, ids); hint != "" {
			remedy = fmt.Sprintf("Did you mean %s?", hint)
		}
		diags = append(diags, wrong(at, "Reference to nothing", fmt.Sprintf("There is no instance %s. %s", id, remedy)))
	}
	for _, s := range w.Serve {
		check(s.Instance, s.Range)
	}
	given := map[string]int{}
	for _, s := range w.Secrets {
		for _, id := range s.Allow {
			check(id, s.Range)
			if given[id] += len(s.Value); given[id] > maxSecrets {
				diags = append(diags, wrong(s.Range, "Too many secrets", fmt.Sprintf("%s is given more than %d bytes of secrets.", id, maxSecrets)))
			}
		}
	}
	return diags
}

func (r workerReader) registry(b *hclsyntax.Block) hcl.Diagnostics {
	host := b.Labels[0]
	var attrs struct {
		Insecure     bool   `json:"insecure"`
		Username     string `json:"username"`
		Password     string `json:"password"`
		PasswordFile string `json:"password_file"`
		CAFile       string `json:"ca_file"`
	}
	diags := decodeInto(b, "a registry", schema.Object{Attrs: []schema.Attr{
		{Name: "insecure", Type: cty.Bool}, text("username"), text("password"), text("password_file"), text("ca_file"),
	}}, &attrs)
	if strings.ContainsAny(host, "/ @") || strings.Contains(host, "://") {
		diags = append(diags, wrong(b.LabelRanges[0], "Invalid name", fmt.Sprintf("%q is not a registry: write HOST or HOST:PORT, without a scheme and a path.", host)))
	}
	if attrs.Password != "" && attrs.PasswordFile != "" {
		diags = append(diags, wrong(b.DefRange(), "Wrong value", "A registry takes one of password and password_file."))
	}
	reg := sdk.Registry{Host: host, Insecure: attrs.Insecure, Username: attrs.Username, Password: attrs.Password}
	if attrs.PasswordFile != "" {
		content, more := r.secretFile(b, "password_file", attrs.PasswordFile)
		diags = append(diags, more...)
		reg.Password = strings.TrimRight(content, "\r\n")
	}
	if attrs.CAFile != "" {
		content, more := r.secretFile(b, "ca_file", attrs.CAFile)
		diags = append(diags, more...)
		reg.CA = content
	}
	r.w.Registries = append(r.w.Registries, reg)
	return diags
}

func (r workerReader) secretFile(b *hclsyntax.Block, attr, path string) (string, hcl.Diagnostics) {
	r.w.Reads = append(r.w.Reads, WorkerRead{Path: path, Secret: attr != "ca_file", Range: b.Body.Attributes[attr].Expr.Range()})
	content, err := r.readFile(path)
	if err == nil && len(content) > maxSecretFile {
		err = fmt.Errorf("%s has %d bytes", path, len(content))
	}
	if err != nil {
		return "", hcl.Diagnostics{wrong(b.Body.Attributes[attr].Expr.Range(), "Cannot read", fmt.Sprintf("%q: %s.", attr, err))}
	}
	return string(content), nil
}
