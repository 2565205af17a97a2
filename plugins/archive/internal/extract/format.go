package extract

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is a kind of archive.
type Format string

// The formats that can be extracted.
const (
	Unknown Format = ""
	Tar     Format = "tar"
	TarGz   Format = "tar.gz"
	TarZst  Format = "tar.zst"
	TarXz   Format = "tar.xz"
	TarBz2  Format = "tar.bz2"
	Zip     Format = "zip"
)

// Formats lists the formats that can be extracted.
func Formats() []Format { return []Format{Tar, TarGz, TarZst, TarXz, TarBz2, Zip} }

const tarBlock = 512

// magics are the first bytes of formats. Those that we do not extract are there to be named.
var magics = []struct {
	magic  string
	format Format
	name   string
}{
	{"PK\x03\x04", Zip, ""},
	{"PK\x05\x06", Zip, ""}, // no entries
	{"\x1f\x8b\x08", TarGz, ""},
	{"\x28\xb5\x2f\xfd", TarZst, ""},
	{"\xfd7zXZ\x00", TarXz, ""},
	{"BZh", TarBz2, ""},
	{"7z\xbc\xaf\x27\x1c", Unknown, "a 7-Zip archive"},
	{"Rar!\x1a\x07", Unknown, "a RAR archive"},
	{"!<arch>\n", Unknown, "an ar archive (.a or .deb)"},
	{"070701", Unknown, "a cpio archive"},
	{"070707", Unknown, "a cpio archive"},
	{"\xed\xab\xee\xdb", Unknown, "an RPM package"},
	{"MSCF", Unknown, "a cabinet (.cab) archive"},
	{"\x04\x22\x4d\x18", Unknown, "compressed with lz4"},
	{"LZIP", Unknown, "compressed with lzip"},
	{"\x1f\x9d", Unknown, "compressed with compress (.Z)"},
	{"PK\x07\x08", Unknown, "a part of a split zip archive"},
	{"<!DOCTYPE", Unknown, "an HTML page"},
	{"<html", Unknown, "an HTML page"},
	{"<?xml", Unknown, "an XML document"},
	{"\x7fELF", Unknown, "an ELF program"},
}

// detect looks at an archive's first bytes, and holds what it finds against what was expected.
func detect(src io.ReaderAt, size int64, want Format) (Format, error) {
	if want != Unknown && !slices.Contains(Formats(), want) {
		return Unknown, &Error{Attr: "format", Reason: fmt.Sprintf("format %q is not known: there are %s", want, names())}
	}
	if size == 0 {
		return Unknown, &Error{Reason: "the archive is empty: it has no bytes at all"}
	}
	head := make([]byte, tarBlock)
	n, err := src.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Unknown, err
	}
	got, name := sniff(head[:n])
	switch {
	case want == Unknown && got != Unknown:
		return got, nil
	case want == Unknown && name != "":
		return Unknown, &Error{Reason: fmt.Sprintf("the file is %s; what can be extracted is %s", name, names())}
	case want == Unknown:
		return Unknown, &Error{Reason: "the file is no archive of a known kind; what can be extracted is " + names()}
	case got == want, got == Unknown && name == "":
		// A zip may start with a program that extracts it: the format that was asked for is tried.
		return want, nil
	case got != Unknown:
		name = string(got)
	}
	return Unknown, &Error{Reason: fmt.Sprintf("format = %q was expected, but the file is %s", want, name)}
}

// sniff names the format of a file that starts with head, or says in words what else it is.
func sniff(head []byte) (Format, string) {
	if isTar(head) {
		return Tar, ""
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format, m.name
		}
	}
	return Unknown, ""
}

// isTar tells whether a block is a tar header with a right checksum, or the zeros of an empty tar.
func isTar(block []byte) bool {
	if len(block) < tarBlock {
		return false
	}
	_, err := tar.NewReader(bytes.NewReader(block[:tarBlock])).Next()
	// Whatever else is wrong, such as that the blocks after this one are missing, is wrong with a tar.
	return !errors.Is(err, tar.ErrHeader)
}

func names() string {
	var s []string
	for _, f := range Formats() {
		s = append(s, string(f))
	}
	return strings.Join(s, ", ")
}
