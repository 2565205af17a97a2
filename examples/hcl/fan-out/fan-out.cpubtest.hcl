variables = { key = "team/App.tar.gz" }

mock "object_fetch" {}
mock "archive_extract" {
  outputs = { entries = 3 }
}
mock "image_build" {
  outputs = { tags = input.tags }
}
mock "container_run" {
  outputs = { exit_code = 0, receipt = { cpu_time = 1.5 } }
}
mock "object_put" {
  outputs = { url = "s3://${input.bucket}/${input.key}" }
}

run "three containers look at one image" {
  assert {
    condition     = slice(steps_run, 3, 6) == tolist(["lint", "test", "audit"])
    error_message = "The checks follow the build."
  }
  assert {
    condition     = length(distinct([input.lint.image, input.test.image, input.audit.image])) == 1
    error_message = "All three have the same image."
  }
  assert {
    condition     = input.image.tags == tolist(["check-app:latest"]) && output.report == "s3://functions/reports/App.json"
    error_message = "The names come from the archive's."
  }
  assert {
    condition     = jsondecode(input.report.content).results.lint.exit_code == 0
    error_message = "The report has the result of each check."
  }
}

run "a check that fails leaves no report" {
  expect_error = "exit"
  mock "container_run" {
    step  = "audit"
    error = { code = "exit", message = "exit code 1" }
  }
  assert {
    condition     = step.report.status == "pending"
    error_message = "There is nothing to report."
  }
}
