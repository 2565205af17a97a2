variables = { version = "2", previous = "1" }

mock "image_pull" {
  outputs = { digest = "sha256:0" }
}
mock "podman_service" {
  outputs = { unit = "web.service", state = "active", addresses = ["127.0.0.1:8080"], changed = true }
}

run "a version that is kept stays" {
  assert {
    condition     = steps_run == tolist(["next", "web", "keep"]) && output.unit == "web.service"
    error_message = "Nothing is rolled back."
  }
}

run "a version that is not kept is rolled back" {
  expect = "failed"
  mock "approval" {
    error = { code = "rejected", message = "it is slow" }
  }
  assert {
    condition     = length(steps_run) == 4
    error_message = "The version before is put back."
  }
}

run "a version that does not get up needs no help" {
  expect = "failed"
  mock "podman_service" {
    error = { code = "time_limit", message = "its healthcheck fails" }
  }
  assert {
    condition     = steps_run == tolist(["next", "web"])
    error_message = "The provider has put the old one back."
  }
}
