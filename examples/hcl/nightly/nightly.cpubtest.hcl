mock "object_put" {
  outputs = { etag = "1" }
}

run "a report lies under the day of its run" {
  pipeline  = "report"
  variables = { report = "daily" }
  assert {
    condition     = output.key == "daily/${formatdate("YYYY-MM-DD", run.started_at)}.json"
    error_message = "The key is ${output.key}."
  }
  assert {
    condition     = steps_run == tolist(["write", "latest"])
    error_message = "What is the latest is written last."
  }
}

run "where no report was written, nothing is the latest" {
  pipeline  = "report"
  variables = { report = "daily" }
  mock "object_put" {
    step  = "write"
    error = { code = "denied", message = "no such bucket" }
  }
  expect       = "failed"
  expect_error = "denied"
  assert {
    condition     = step.latest.status == "pending"
    error_message = "A report that is not there is the latest."
  }
}
