//go:build linux

package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteJSON writes a file that is there whole or not at all, whoever dies meanwhile.
func WriteJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	part, err := writePart(path, data)
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(part, path), removePart(part))
}

// WriteNew is WriteJSON for a text that must not replace another: then the error is os.ErrExist.
func WriteNew(path, text string) error {
	part, err := writePart(path, []byte(text))
	if err != nil {
		return err
	}
	return errors.Join(os.Link(part, path), removePart(part))
}

func writePart(path string, data []byte) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	part := filepath.Join(filepath.Dir(path), partPrefix+Random())
	return part, os.WriteFile(part, data, 0o600)
}

func removePart(part string) error {
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
