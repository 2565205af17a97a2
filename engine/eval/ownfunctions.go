package eval

import (
	"crypto/md5"  //nolint:gosec // a function of the language, not a safeguard
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// ownLibrary has the functions that Terraform adds to the standard library and that take a few lines.
func ownLibrary() map[string]function.Function {
	return map[string]function.Function{
		"alltrue":      boolFunction(func(all []bool) bool { return !has(all, false) }),
		"anytrue":      boolFunction(func(all []bool) bool { return has(all, true) }),
		"base64decode": textFunction(decodeBase64),
		"base64encode": textFunction(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"basename":     textFunction(func(s string) (string, error) { return path.Base(s), nil }),
		"dirname":      textFunction(func(s string) (string, error) { return path.Dir(s), nil }),
		"endswith":     testFunction(strings.HasSuffix),
		"md5": textFunction(func(s string) (string, error) {
			sum := md5.Sum([]byte(s)) //nolint:gosec // see above
			return hex.EncodeToString(sum[:]), nil
		}),
		"one": oneFunction(),
		"sha1": textFunction(func(s string) (string, error) {
			sum := sha1.Sum([]byte(s)) //nolint:gosec // see above
			return hex.EncodeToString(sum[:]), nil
		}),
		"sha256": textFunction(func(s string) (string, error) {
			sum := sha256.Sum256([]byte(s))
			return hex.EncodeToString(sum[:]), nil
		}),
		"sha512": textFunction(func(s string) (string, error) {
			sum := sha512.Sum512([]byte(s))
			return hex.EncodeToString(sum[:]), nil
		}),
		"startswith":  testFunction(strings.HasPrefix),
		"strcontains": testFunction(strings.Contains),
		"sum":         sumFunction(),
		"urlencode":   textFunction(func(s string) (string, error) { return url.QueryEscape(s), nil }),
	}
}

func has(all []bool, want bool) bool {
	for _, b := range all {
		if b == want {
			return true
		}
	}
	return false
}

func escapeRegex(s string) (string, error) { return regexp.QuoteMeta(s), nil }

func decodeBase64(s string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", errors.New("this is not base64")
	}
	if !utf8.Valid(b) {
		return "", errors.New("what it decodes to is not text in UTF-8")
	}
	return string(b), nil
}

func textFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func testFunction(f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func boolFunction(f func([]bool) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.Bool), nil
			}
			var all []bool
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				all = append(all, !v.IsNull() && v.True())
			}
			return cty.BoolVal(f(all)), nil
		},
	})
}

func sumFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			total := cty.Zero
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "an element is null")
				}
				total = total.Add(v)
			}
			return total, nil
		},
	})
}

func oneFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t := args[0].Type()
			if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
				return cty.NilVal, function.NewArgErrorf(0, "a list, a set or a tuple is required")
			}
			switch args[0].LengthInt() {
			case 0:
				return cty.NullVal(cty.DynamicPseudoType), nil
			case 1:
				it := args[0].ElementIterator()
				it.Next()
				_, v := it.Element()
				return v, nil
			default:
				return cty.NilVal, function.NewArgErrorf(0, "it must have one element at most")
			}
		},
	})
}

// lengthFunction is the library's, and that of texts.
func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch t := args[0].Type(); {
			case t == cty.DynamicPseudoType:
				return cty.UnknownVal(cty.Number), nil
			case t == cty.String:
				return stdlib.Strlen(args[0])
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			default:
				return stdlib.Length(args[0])
			}
		},
	})
}

// indexFunction gives where in a list a value is, as Terraform's does; the library's looks an element up.
func indexFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t := args[0].Type()
			if !t.IsListType() && !t.IsTupleType() {
				return cty.NilVal, function.NewArgErrorf(0, "a list or a tuple is required")
			}
			for it := args[0].ElementIterator(); it.Next(); {
				i, v := it.Element()
				eq, err := stdlib.Equal(v, args[1])
				if err != nil {
					return cty.NilVal, err
				}
				if !eq.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				if eq.True() {
					return i, nil
				}
			}
			return cty.NilVal, function.NewArgErrorf(1, "the list does not have it")
		},
	})
}

// replaceFunction is Terraform's: an old text of the form "/…/" is a regular expression.
func replaceFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "old", Type: cty.String}, {Name: "new", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if pattern, ok := regexPattern(args[1].AsString()); ok {
				return stdlib.RegexReplace(args[0], cty.StringVal(pattern), args[2])
			}
			return stdlib.Replace(args[0], args[1], args[2])
		},
	})
}

// collectionFunction is tolist and its kin, by our own conversion.
func collectionFunction(want cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.DynamicPseudoType && !args[0].IsKnown() {
				return cty.DynamicVal.WithSameMarks(args[0]), nil
			}
			v, err := convertTo(args[0], want)
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%s", describe(err))
			}
			return v, nil
		},
	})
}
