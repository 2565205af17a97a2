package contract

import (
	"encoding/json"
	"testing"

	"github.com/containerpub/cpub/sdk/schema"
)

func TestContractsAreValid(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] {
			t.Errorf("%s is declared twice", c.Name)
		}
		seen[c.Name] = true
		for side, o := range map[string]schema.Object{"input": c.Input, "output": c.Output} {
			if err := o.Validate(); err != nil {
				t.Errorf("%s %s: %v", c.Name, side, err)
			}
			for _, a := range o.Attrs {
				if a.Doc == "" {
					t.Errorf("%s %s: %s has no doc", c.Name, side, a.Name)
				}
			}
		}
	}
}

func TestDefaultsHaveTheirFormat(t *testing.T) {
	for _, c := range All() {
		for _, a := range c.Input.Attrs {
			var err error
			switch {
			case a.Default == "":
				continue
			case a.Format == schema.FormatSize:
				err = json.Unmarshal([]byte(a.Default), new(schema.Size))
			case a.Format == schema.FormatDuration:
				err = json.Unmarshal([]byte(a.Default), new(schema.Duration))
			}
			if err != nil {
				t.Errorf("%s.%s: default %s: %v", c.Name, a.Name, a.Default, err)
			}
		}
	}
}

func TestReceiptHasItsType(t *testing.T) {
	b, err := json.Marshal(Receipt{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range ReceiptType.AttributeTypes() {
		if _, ok := fields[name]; !ok {
			t.Errorf("Receipt lacks %s", name)
		}
		delete(fields, name)
	}
	for name := range fields {
		t.Errorf("ReceiptType lacks %s", name)
	}
}
