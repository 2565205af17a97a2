package main

import (
	"slices"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"run . -var a=b", "run . --var a=b"},
		{"run . -var=a=b -var-file=x.env -json", "run . --var=a=b --var-file=x.env --json"},
		{"run . --var -json", "run . --var -json"},
		{"run . -id -detach", "run . --id -detach"},
		{"run . -- -var", "run . -- -var"},
		{"run . -nonsense", "run . -nonsense"},
		{"fmt -check -diff -recursive .", "fmt --check --diff --recursive ."},
		{"logs -f RUN", "logs -f RUN"},
		{"logs -follow RUN -", "logs --follow RUN -"},
		{"-help", "--help"},
		{"fmt -check=false", "fmt --check=false"},
		{"provider schema -json", "provider schema --json"},
		{"nonsense -var a", "nonsense -var a"},
		{"", ""},
	} {
		got := normalise(newRoot(newStdio()), strings.Fields(test.args))
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("normalise(%s) = %q, want %q", test.args, got, want)
		}
	}
}
