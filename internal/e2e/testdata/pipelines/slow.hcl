variable "registry" { type = string }

variable "id" { type = string }

pipeline "slow" {
  step "object_fetch" "archive" {
    bucket = "functions"
    key    = "slow.tar.gz"
  }
  step "archive_extract" "source" {
    archive = step.archive.file
  }
  step "image_build" "image" {
    context    = step.source.directory
    tags       = ["slow:${var.id}"]
    build_args = { BASE_IMAGE = "${var.registry}/base:1" }
    no_cache   = true
  }
  step "image_push" "publish" {
    image       = step.image.image
    destination = "${var.registry}/slow:${var.id}"
  }
  step "container_run" "invoke" {
    image      = step.publish.reference
    command    = ["/function", "4s"]
    time_limit = "1m"
  }
  output "result" { value = step.invoke.stdout }
}
