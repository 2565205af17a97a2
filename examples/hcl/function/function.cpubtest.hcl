# What the pipeline gives each step, and what it does when one fails. Nothing runs: mocks stand in for the providers.

variables = { function_id = "42" }

mock "object_fetch" {}
mock "archive_extract" {}
mock "image_build" {
  outputs = { tags = input.tags }
}
mock "image_push" {
  outputs = { reference = "${input.destination}@sha256:0" }
}
mock "container_run" {
  outputs = {
    exit_code = 0
    stdout    = "got ${input.env.FUNCTION_INPUT}"
  }
}

run "the function is deployed and tried" {
  variables = {
    docker_registry = "registry.example"
    input           = { name = "Ada" }
  }
  assert {
    condition     = output.result == "got {\"name\":\"Ada\"}"
    error_message = "The function's own output is the result."
  }
  assert {
    condition     = input.archive.bucket == "functions" && input.archive.key == "functions/42/1.tar.gz"
    error_message = "The archive is fetched from where functions lie."
  }
  assert {
    condition     = input.publish.destination == "registry.example/dart-function-42-v1:latest"
    error_message = "The image is pushed to the registry that was named."
  }
  assert {
    condition     = input.invoke.image == step.publish.reference
    error_message = "What runs is what was pushed."
  }
}

run "the caller's limits reach the container" {
  variables = {
    function_timeout_seconds = 9
    function_max_memory_mb   = 64
  }
  assert {
    condition     = input.invoke.memory == "64m" && input.invoke.time_limit == "9s" && input.invoke.network == "none"
    error_message = "The function runs under its limits, without a network."
  }
}

run "a broken build pushes nothing" {
  expect_error = "exit"
  mock "image_build" {
    error = { code = "exit", message = "RUN failed" }
  }
  assert {
    condition     = run.error.step == "image" && !contains(steps_run, "publish")
    error_message = "The run ends at the build."
  }
}

run "a function's id must fit into an image's name" {
  expect    = "refused"
  variables = { function_id = "Not Good" }
}
