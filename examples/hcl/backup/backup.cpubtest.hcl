mock "image_copy" {
  outputs = { digest = "sha256:abc", archive = input.destination == null ? "archive" : null, reference = input.destination }
}
mock "object_put" {}
mock "object_fetch" {}
mock "image_prune" {
  outputs = { removed = [], reclaimed_bytes = 0 }
}

run "the archive lies in the bucket, with the digest of the image" {
  pipeline = "backup"
  assert {
    condition     = input.keep.metadata.digest == "sha256:abc" && output.digest == "sha256:abc"
    error_message = "It has ${input.keep.metadata.digest}."
  }
  assert {
    condition     = steps_run == tolist(["image", "keep", "builds"])
    error_message = "Nothing is cleared away before the image is kept."
  }
}

run "nothing is cleared away where the backup fails" {
  pipeline = "backup"
  mock "object_put" {
    error = { code = "denied", message = "no such bucket" }
  }
  expect       = "failed"
  expect_error = "denied"
  assert {
    condition     = !contains(steps_run, "builds")
    error_message = "Builds were cleared away."
  }
}

run "the image comes back" {
  pipeline  = "restore"
  variables = { image = "localhost:5000/function:back" }
  assert {
    condition     = input.image.destination == "localhost:5000/function:back" && output.reference == "localhost:5000/function:back"
    error_message = "It went to ${input.image.destination}."
  }
}
