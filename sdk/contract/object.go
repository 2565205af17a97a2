package contract

import "github.com/containerpub/cpub/sdk/schema"

// ObjectFetch downloads one object of an object store into a file artifact.
func ObjectFetch() Type {
	return Type{
		Name: "object_fetch",
		Doc: "Downloads one object of an S3 store, in parallel ranges, and goes on where a lost attempt stopped. What arrives is verified " +
			"against the object's ETag or checksum, and against `sha256` where it is given.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				required(text("bucket", "The bucket's name.")),
				required(text("key", "The object's key.")),
				text("version_id", "A version of the object; the newest if left out."),
				text("sha256", "The SHA-256 that the object must have, in hex. A difference fails the step for good."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				schema.File("file", "The object's bytes."),
				text("etag", "The object's ETag, without quotes."),
				number("size", "Bytes."),
				text("version_id", "The version that was fetched; null where the bucket has no versions."),
				flag("cached", "Whether the bytes were here already and nothing was downloaded."),
			}},
		},
	}
}

// ObjectPut uploads a file artifact, or a string, as one object.
func ObjectPut() Type {
	return Type{
		Name: "object_put",
		Doc:  "Uploads a file, or a string, as one object. Exactly one of `file` and `content` is given. A failed upload leaves no parts behind.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				required(text("bucket", "The bucket's name.")),
				required(text("key", "The object's key.")),
				schema.File("file", "The file to upload."),
				text("content", "The text to upload, as UTF-8."),
				text("content_type", "The object's media type; the file's own if left out."),
				dict("metadata", "User metadata of the object."),
				flag("if_none_match", "Fail for good if the key exists already (other than by an earlier attempt of the same step)."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				text("etag", "The object's ETag, without quotes."),
				text("version_id", "The version that was made; null where the bucket has no versions."),
				text("url", "Where the object is: `s3://BUCKET/KEY`."),
			}},
		},
	}
}
