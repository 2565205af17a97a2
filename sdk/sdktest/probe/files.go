//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// stat says of each path what it is, whose, and with which mode; owners by the numbers in here.
func stat(args []string) error {
	for _, p := range args {
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		uid, gid := uint32(0), uint32(0)
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = s.Uid, s.Gid
		}
		if _, err := fmt.Println("stat", p, info.Mode(), uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// put writes a text into a file, whose folders it makes: PATH TEXT…
func put(args []string) error {
	if err := os.MkdirAll(filepath.Dir(args[0]), 0o755); err != nil {
		return err
	}
	return os.WriteFile(args[0], []byte(strings.Join(args[1:], " ")), 0o644)
}

// link makes a symbolic link: TARGET PATH.
func link(args []string) error { return os.Symlink(args[0], args[1]) }

// mkdir makes a folder, and says how that went.
func mkdir(args []string) error {
	for _, p := range args {
		if _, err := fmt.Printf("mkdir %s: %v\n", p, os.Mkdir(p, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

// limits prints the limits of this process.
func limits([]string) error {
	b, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}
