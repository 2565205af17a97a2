variables = { image = "localhost:5000/job:latest" }

mock "image_pull" {
  outputs = { digest = "sha256:0" }
}
mock "container_run" {
  outputs = { exit_code = 0, stdout = "{\"n\":1}" }
}

run "nothing is warmed up unless it is asked for" {
  assert {
    condition     = steps_run == tolist(["job"]) && step.image.status == "skipped" && output.warmed_up == false
    error_message = "Only the job runs."
  }
  assert {
    condition     = output.result.n == 1
    error_message = "JSON output is read."
  }
}

run "the job waits for the warm-up" {
  variables = { warm_up = true }
  assert {
    condition     = steps_run == tolist(["image", "warm_up", "job"]) && output.warmed_up
    error_message = "They run one after another."
  }
}

run "text that is no JSON is the result as it is" {
  mock "container_run" {
    step    = "job"
    outputs = { exit_code = 0, stdout = "done" }
  }
  assert {
    condition     = output.result == "done"
    error_message = "The output is not changed."
  }
}
