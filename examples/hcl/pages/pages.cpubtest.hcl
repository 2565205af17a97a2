mock "container_run" {
  outputs = {
    collected = {
      site   = { digest = "sha256:1", size = 1024, media_type = "application/vnd.cpub.directory.v1.tar", name = "site" }
      report = { digest = "sha256:2", size = 40, media_type = "application/octet-stream", name = "report.txt" }
    }
  }
}
mock "image_build" {
  outputs = { tags = input.tags }
}
mock "object_put" {
  outputs = { url = "s3://${input.bucket}/${input.key}" }
}

run "what is collected is used" {
  assert {
    condition     = input.site.context == step.make.collected.site && input.report.file == step.make.collected.report
    error_message = "The image is built from the pages, and the report is put as it is."
  }
  assert {
    condition     = output.report == "s3://functions/notes/report.txt" && output.image == "notes:latest"
    error_message = "The outputs name what was made."
  }
}

run "the container gets the notes and the script" {
  assert {
    condition     = join(" ", keys(input.make.files)) == "/notes" && strcontains(input.make.script, "/out/report.txt")
    error_message = "The notes lie where the script looks for them."
  }
}

run "a file in the place of a folder is refused" {
  expect_error = "invalid"
  mock "container_run" {
    outputs = {
      collected = {
        site   = { digest = "sha256:1", size = 1, media_type = "application/octet-stream", name = "site" }
        report = { digest = "sha256:2", size = 40, media_type = "application/octet-stream", name = "report.txt" }
      }
    }
  }
}
