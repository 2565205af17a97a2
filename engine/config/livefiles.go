package config

import "github.com/containerpub/cpub/engine/eval"

// OpenFiles serves file() and its kin from a module's folder as it is now, for expressions that are in no plan. Call close at the end.
func OpenFiles(dir string) (files eval.Files, closeFiles func(), err error) {
	rec, err := newRecorder(dir)
	if err != nil {
		return nil, nil, err
	}
	return rec, rec.close, nil
}
