package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeEnv writes NAME=VALUE lines that a shell can read. The file holds a
// secret, and appears only when it is whole.
func writeEnv(path string, env []string) error {
	var text strings.Builder
	for _, variable := range env {
		text.WriteString(shellQuote(variable) + "\n")
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the environment: %w", err)
	}
	_, err = file.WriteString(text.String())
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("writing the environment: %w", err)
	}
	return nil
}

// shellQuote quotes the value of NAME=VALUE where a shell would read it as
// anything but itself.
func shellQuote(variable string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,="
	name, value, _ := strings.Cut(variable, "=")
	if value != "" && strings.Trim(value, plain) == "" {
		return variable
	}
	return name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
