package eval

import (
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

type libraryFunction struct {
	impl  function.Function
	guard guard
}

// library is makeLibrary, made once: it never changes.
var library = sync.OnceValue(makeLibrary)

// makeLibrary is the cty standard library under Terraform's names, with what Terraform adds to it in a few lines. All are pure.
func makeLibrary() map[string]libraryFunction {
	all := map[string]libraryFunction{
		"coalesce":    {stdlib.CoalesceFunc, guardUnify},
		"chunklist":   {stdlib.ChunklistFunc, nil},
		"distinct":    {stdlib.DistinctFunc, guardSquare},
		"format":      {stdlib.FormatFunc, guardFormat},
		"formatlist":  {stdlib.FormatListFunc, guardFormat},
		"indent":      {stdlib.IndentFunc, guardIndent},
		"join":        {stdlib.JoinFunc, guardJoin},
		"jsondecode":  {stdlib.JSONDecodeFunc, guardNumbers},
		"parseint":    {stdlib.ParseIntFunc, guardDigits},
		"regex":       {stdlib.RegexFunc, guardRegex},
		"regexall":    {stdlib.RegexAllFunc, guardRegex},
		"replace":     {replaceFunction(), guardReplace},
		"setproduct":  {stdlib.SetProductFunc, guardProduct},
		"trim":        {stdlib.TrimFunc, guardPair},
		"index":       {indexFunction(), nil},
		"length":      {lengthFunction(), nil},
		"tostring":    {stdlib.MakeToFunc(cty.String), nil},
		"tonumber":    {stdlib.MakeToFunc(cty.Number), guardDigits},
		"tobool":      {stdlib.MakeToFunc(cty.Bool), nil},
		"tolist":      {collectionFunction(cty.List(cty.DynamicPseudoType)), nil},
		"toset":       {collectionFunction(cty.Set(cty.DynamicPseudoType)), guardUntyped},
		"tomap":       {collectionFunction(cty.Map(cty.DynamicPseudoType)), nil},
		"timeadd":     {stdlib.TimeAddFunc, nil},
		"formatdate":  {stdlib.FormatDateFunc, nil},
		"csvdecode":   {stdlib.CSVDecodeFunc, nil},
		"jsonencode":  {stdlib.JSONEncodeFunc, nil},
		"range":       {stdlib.RangeFunc, nil}, // at most 1024 elements by itself
		"regexescape": {textFunction(escapeRegex), nil},
		"secret":      {secretFunction(), nil},
	}
	for name, f := range plainLibrary() {
		all[name] = libraryFunction{f, nil}
	}
	for name, f := range ownLibrary() {
		all[name] = libraryFunction{f, nil}
	}
	return all
}

// plainLibrary needs no guard: results are no larger than arguments, times what is fixed.
func plainLibrary() map[string]function.Function {
	return map[string]function.Function{
		"abs":             stdlib.AbsoluteFunc,
		"ceil":            stdlib.CeilFunc,
		"chomp":           stdlib.ChompFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"element":         stdlib.ElementFunc,
		"flatten":         stdlib.FlattenFunc,
		"floor":           stdlib.FloorFunc,
		"keys":            stdlib.KeysFunc,
		"log":             stdlib.LogFunc,
		"lookup":          stdlib.LookupFunc,
		"lower":           stdlib.LowerFunc,
		"max":             stdlib.MaxFunc,
		"merge":           stdlib.MergeFunc,
		"min":             stdlib.MinFunc,
		"pow":             stdlib.PowFunc,
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"signum":          stdlib.SignumFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"split":           stdlib.SplitFunc,
		"strrev":          stdlib.ReverseFunc,
		"substr":          stdlib.SubstrFunc,
		"title":           stdlib.TitleFunc,
		"trimprefix":      stdlib.TrimPrefixFunc,
		"trimspace":       stdlib.TrimSpaceFunc,
		"trimsuffix":      stdlib.TrimSuffixFunc,
		"upper":           stdlib.UpperFunc,
		"values":          stdlib.ValuesFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
}
