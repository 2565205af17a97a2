# Reports that write themselves: schedules with cron texts and an interval, and the pipelines that they run. They begin with
#   cpub schedule apply examples/hcl/nightly --owner examples --prune
variable "bucket" {
  default     = "functions"
  description = "Where the reports lie"
}

variable "report" {
  type        = string
  description = "Which report, such as \"daily\""
}

variable "keep_days" {
  type    = number
  default = 30
  validation {
    condition     = var.keep_days > 0
    error_message = "A report is kept for a day at least."
  }
}

locals {
  zone = "Europe/Zurich"
}

schedule "nightly" {
  description    = "The report of every day"
  pipeline       = "report"
  cron           = "0 2 * * *"
  timezone       = local.zone
  jitter         = "5m"
  catchup_window = "6h"
  variables      = { report = "daily" }
}

schedule "monthly" {
  description = "The report of every month, kept for a year"
  pipeline    = "report"
  cron        = ["0 3 1 * *"]
  timezone    = local.zone
  overlap     = "buffer_one"
  variables   = { report = "monthly", keep_days = 366 }
}

schedule "check" {
  pipeline         = "check"
  interval         = "10m"
  pause_on_failure = true
  variables        = { report = "daily" }
}

pipeline "report" {
  description = "Writes a report under the day of its run, and which one is the latest"
  timeout     = "30m"
  concurrency { key = "report-${var.report}" } # for runs that are started by hand too: a schedule's overlap knows its own alone

  step "value" "name" { value = "${var.report}/${formatdate("YYYY-MM-DD", run.started_at)}.json" }
  step "object_put" "write" {
    bucket       = var.bucket
    key          = step.name.value
    content      = jsonencode({ report = var.report, run = run.id, keep_days = var.keep_days })
    content_type = "application/json"
  }
  step "object_put" "latest" {
    depends_on = [step.write]
    bucket     = var.bucket
    key        = "${var.report}/latest.json"
    content    = jsonencode({ key = step.name.value })
  }
  output "key" { value = step.name.value }
}

pipeline "check" {
  description = "Fails where there is no report"
  step "object_fetch" "latest" {
    bucket = var.bucket
    key    = "${var.report}/latest.json"
    retry { max_attempts = 2 }
  }
  output "size" { value = step.latest.size }
}
