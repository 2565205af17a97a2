variables = { function = "hello", version = "2" }

mock "image_pull" {
  step    = "before"
  outputs = { digest = "sha256:1" }
}
mock "image_pull" {
  step    = "next"
  outputs = { digest = "sha256:2" }
}
mock "image_push" {
  outputs = { digest = "sha256:2", reference = "localhost:5000/hello@sha256:2" }
}
mock "container_run" {
  outputs = { exit_code = 0, stdout = "ok" }
}

run "approved, it is live" {
  assert {
    condition     = output.digest == "sha256:2" && output.approver == "test"
    error_message = "The new version is live."
  }
  assert {
    condition     = input.go.message == "Put hello 2 (sha256:2) live, in place of sha256:1?"
    error_message = "The question is: ${input.go.message}"
  }
  assert {
    condition     = steps_run == tolist(["before", "next", "go", "lock", "live", "probe", "unlock"])
    error_message = "Nothing is undone and nobody is told."
  }
}

run "the first release has nothing before it" {
  mock "image_pull" {
    step  = "before"
    error = { code = "not_found", message = "no such tag" }
  }
  assert {
    condition     = output.digest == "sha256:2" && endswith(input.go.message, "in place of nothing?")
    error_message = "A first release is possible."
  }
}

run "rejected, nothing is touched" {
  mock "approval" { error = { code = "rejected", message = "not on a Friday" } }
  expect       = "failed"
  expect_error = "rejected"
  assert {
    condition     = steps_run == tolist(["before", "next", "go", "tell"]) && step.unlock.status == "skipped"
    error_message = "Neither locked nor unlocked."
  }
  assert {
    condition     = input.tell.command[1] == "hello 2 was not released: rejected in go"
    error_message = "Who is told hears: ${input.tell.command[1]}"
  }
}

run "what does not answer is put back, told and unlocked" {
  mock "container_run" {
    step  = "probe"
    error = { code = "exit", message = "exit code 1" }
  }
  expect       = "failed"
  expect_error = "exit"
  assert {
    condition     = input["live.compensate"].command == tolist(["put-back", "localhost:5000/hello@sha256:2", "sha256:1"])
    error_message = "The version before is live again."
  }
  assert {
    condition     = slice(steps_run, length(steps_run) - 2, length(steps_run)) == tolist(["tell", "unlock"])
    error_message = "Told, then unlocked: ${jsonencode(steps_run)}"
  }
}

run "an empty answer is none" {
  mock "container_run" {
    step    = "probe"
    outputs = { exit_code = 0, stdout = "" }
  }
  expect       = "failed"
  expect_error = "postcondition"
  assert {
    condition     = input["live.compensate"] != null
    error_message = "It is put back."
  }
}
