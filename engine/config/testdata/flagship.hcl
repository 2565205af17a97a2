variable "bucket" {}
variable "function_id" { type = string }
variable "function_version" { type = string }
variable "docker_base_image" { type = string }
variable "docker_registry" { type = string }
variable "function_max_memory_mb" { type = number }
variable "function_timeout_seconds" { type = number }
variable "input" {}

pipeline "deploy_function" {
  description = "Build, publish and try a function from its archive"
  timeout     = "15m"

  step "object_fetch" "archive" {
    bucket = var.bucket
    key    = "functions/${var.function_id}/${var.function_version}.tar.gz"
  }
  step "archive_extract" "source" {
    archive = step.archive.file
  }
  step "image_build" "image" {
    context    = step.source.directory
    tags       = ["dart-function-${var.function_id}-v${var.function_version}:latest"]
    build_args = { BASE_IMAGE = var.docker_base_image }
    retry { max_attempts = 3 }
  }
  step "image_push" "publish" {
    image       = step.image.image
    destination = "${var.docker_registry}/dart-function-${var.function_id}-v${var.function_version}:latest"
  }
  step "container_run" "invoke" {
    image      = step.publish.reference
    memory     = "${var.function_max_memory_mb}m"
    cpus       = 0.5
    network    = "none"
    time_limit = "${var.function_timeout_seconds}s"
    env        = { FUNCTION_INPUT = jsonencode(var.input) }
  }
  output "result" { value = step.invoke.stdout }
}
