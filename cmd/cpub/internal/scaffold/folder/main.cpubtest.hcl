# What the pipeline does, without any service: mocks stand in for what S3, Podman and the registry would answer.

mock "object_fetch" {}
mock "archive_extract" {}
mock "image_build" {
  outputs = { tags = input.tags }
}
mock "image_push" {
  outputs = { reference = "${input.destination}@sha256:0" }
}
mock "container_run" {
  outputs = { exit_code = 0, stdout = "hello" }
}

run "the image is published and not run" {
  variables = { registry = "registry.example", version = "7" }
  assert {
    condition     = input.publish.destination == "registry.example/IMAGE:7"
    error_message = "The image goes to the registry that was named."
  }
  assert {
    condition     = step.invoke.status == "skipped" && output.result == null
    error_message = "Nothing runs unless it is asked for."
  }
}

run "what was published is run, under limits" {
  variables = { invoke = true }
  assert {
    condition     = input.invoke.image == output.reference && input.invoke.memory == "128m"
    error_message = "The published image runs in 128 MiB."
  }
  assert {
    condition     = output.result == "hello"
    error_message = "What it prints is the result."
  }
}

run "a broken build publishes nothing" {
  expect_error = "exit"
  mock "image_build" {
    error = { code = "exit", message = "RUN failed" }
  }
  assert {
    condition     = !contains(steps_run, "publish")
    error_message = "The run ends at the build."
  }
}

run "a version that is no tag is refused" {
  expect    = "refused"
  variables = { version = "not a tag" }
}
