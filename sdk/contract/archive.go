package contract

import "github.com/containerpub/cpub/sdk/schema"

// ArchiveExtract unpacks an archive into a directory artifact.
func ArchiveExtract() Type {
	format := text("format", "The archive's format; detected from its first bytes if left out.")
	format.Enum = []string{"tar", "tar.gz", "tar.zst", "tar.xz", "tar.bz2", "zip"}
	archive := schema.File("archive", "The archive.")
	archive.Required = true
	return Type{
		Name: "archive_extract",
		Doc: "Unpacks an archive (tar, tar.gz, tar.zst, tar.xz, tar.bz2 or zip). Archives are taken as hostile: no entry leaves the " +
			"directory, no device is made, and what grows beyond the limits is refused. Owners are dropped and modes normalised.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				archive,
				format,
				defaults(number("strip_components", "How many leading folders to remove from every name."), "0"),
				list("include", "Patterns of the names to unpack, `**` crosses folders; all if left out."),
				list("exclude", "Patterns of the names to leave out."),
				defaults(size("max_bytes", "The most that all files together may unpack to."), `"1GiB"`),
				defaults(number("max_entries", "The most entries that the archive may have."), "100000"),
				defaults(number("max_ratio", "The most that the content may exceed the archive's own size by, as a factor; looked at from 1 MiB on."), "200"),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				schema.Directory("directory", "What was unpacked."),
				number("entries", "How many files, folders and links were unpacked."),
				number("bytes", "Bytes of all files together."),
				flag("cached", "Whether the same archive was unpacked before and nothing was done."),
			}},
		},
	}
}
