package contract

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// ImageBuild builds an image from a directory artifact and a Containerfile.
func ImageBuild() Type {
	context := schema.Directory("context", "The build context.")
	context.Required = true
	network := defaults(text("network", "The network of each RUN. Others than none must be allowed by the policy."), `"none"`)
	pull := defaults(text("pull", "When to pull base images."), `"missing"`)
	pull.Enum = []string{"always", "missing", "never", "newer"}
	return Type{
		Name: "image_build",
		Doc: "Builds an image. A build runs the uploader's code as much as container_run does, so it has the same kind of limits: no network " +
			"unless allowed, memory and CPU of each RUN, a time limit, and base images from allowed registries alone.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				context,
				text("containerfile", "Path of the Containerfile in the context; Containerfile or Dockerfile if left out. "+
					"A text with more than one line is taken as the Containerfile itself."),
				list("tags", "Names for the image."),
				dict("build_args", "Values for ARG. They stay in the image's history: what is secret goes into `build_secrets`."),
				secrets(dict("build_secrets", "Texts by id, which may hold `secret()`, for `RUN --mount=type=secret,id=ID`. They are in no layer, history, "+
					"log or cache key: a RUN whose secret alone changed comes from the cache.")),
				text("target", "The stage to build; the last if left out."),
				text("platform", "Such as `linux/arm64`; the host's own if left out."),
				dict("labels", "Labels of the image, over those that a build gives by itself: `io.cpub.source` (the context's digest) and `io.cpub.pipeline`. "+
					"The run is not among them: each run would get an image of its own."),
				dict("annotations", "Annotations of the image's manifest, over the same ones."),
				pull,
				flag("no_cache", "Build every layer anew."),
				flag("reproducible", "The same context, Containerfile, arguments and base images give the same image: every time in it is 1970-01-01, no layer comes from the "+
					"cache, and of the labels that a build gives by itself there is `io.cpub.source` alone. What a RUN writes by chance (random numbers, the "+
					"date in a file) stays the author's own."),
				defaults(size("memory", "Memory of each RUN."), `"512m"`),
				defaults(number("cpus", "CPUs of each RUN, such as 0.5."), "1"),
				defaults(number("pids", "Processes and threads of each RUN."), "1024"),
				network,
				defaults(duration("time_limit", "Of the whole build."), `"10m"`),
				flag("allow_unenforced_limits", "Build even where a limit cannot be enforced; the policy must allow it."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				locatedImage("The image in the store that built it."),
				{Name: "tags", Type: cty.List(cty.String), Doc: "The image's names."},
				number("size", "Bytes."),
				flag("cached", "Whether every layer came from the cache."),
				schema.File("log", "The build's whole output."),
			}},
		},
	}
}

// ImagePush pushes a located image to a registry.
func ImagePush() Type {
	image := locatedImage("The image to push.")
	image.Required = true
	compression := text("compression", "Of the layers; as the store has them if left out.")
	compression.Enum = []string{"gzip", "zstd"}
	return Type{
		Name: "image_push",
		Doc:  "Pushes an image to a registry and checks that the registry has what was pushed. The reference by digest is valid everywhere.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				image,
				required(text("destination", "The reference to push to, with a tag: `HOST[:PORT]/NAME:TAG`.")),
				compression,
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				text("reference", "The pushed image by digest: `HOST/NAME@sha256:…`."),
				text("digest", "The manifest's digest."),
				flag("cached", "Whether the registry had it already under this tag."),
			}},
		},
	}
}

// ImagePull pulls an image from a registry.
func ImagePull() Type {
	policy := defaults(text("policy", "When to pull."), `"missing"`)
	policy.Enum = []string{"always", "missing", "never", "newer"}
	return Type{
		Name: "image_pull",
		Doc:  "Pulls an image from a registry into the store of the provider instance.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				required(text("reference", "The image's reference, by tag or by digest.")),
				policy,
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				locatedImage("The image in the store that has it now."),
				text("digest", "The manifest's digest."),
			}},
		},
	}
}

// ImageCopy copies an image between registries, or to and from an archive.
func ImageCopy() Type {
	image := locatedImage("Or an image in the store.")
	return Type{
		Name: "image_copy",
		Doc: "Copies an image as it is, with all its platforms, from a registry to another one, or to an OCI archive and back: a backup. Everything is " +
			"verified by its digest, and the copy has the digest of the original. From registry to registry and from an archive nothing goes through " +
			"the provider's store.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				text("source", "What to copy, by reference: `HOST[:PORT]/NAME:TAG` or by digest. One of `source`, `image` and `archive` is given."),
				image,
				schema.File("archive", "Or an archive that this step made, or any OCI archive (an image layout in a tar) of one image."),
				text("destination", "The reference to copy to, with a tag. Left out, the copy is the output `archive`."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				text("reference", "The copy by digest, `HOST/NAME@sha256:…`; null for an archive."),
				text("digest", "The digest of the image: of its manifest, or of the list of its platforms."),
				number("size", "Bytes of what the image consists of."),
				schema.File("archive", "The archive; null where there is a `destination`. The same image gives the same archive."),
				flag("cached", "Whether the destination had it already under this tag."),
			}},
		},
	}
}

// ImagePrune removes images that nothing needs.
func ImagePrune() Type {
	return Type{
		Name: "image_prune",
		Doc: "Removes images from the store of the provider instance. What a run, a container, a service or another image needs is kept, and so is what " +
			"has a name, unless `filters.reference` names it. It may be repeated, and run at the same time as others.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				dict("filters", "Which images, all of these together: `reference` (a pattern of names, `*` for any run of characters; all names of an image must "+
					"match, and they are removed with it), `label` (`NAME` or `NAME=VALUE`). Left out, all images without a name."),
				number("keep_last", "Of the images of each name (all tags of one repository, and all without a name), keep so many of the newest."),
				duration("older_than", "Only those that have been in the store for so long."),
				flag("all", "Also images that no image_build made (those lack the label `io.cpub.source`). It needs `filters`, and the policy must allow it."),
				flag("dry_run", "Only tell what would be removed."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				{Name: "removed", Type: cty.List(cty.String), Doc: "The ids of the images, the oldest first."},
				number("reclaimed_bytes", "What their layers that no other image has amount to."),
			}},
		},
	}
}
