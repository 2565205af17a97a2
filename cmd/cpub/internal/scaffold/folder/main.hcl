# A function's archive is fetched from S3, unpacked, built into an image and pushed to a registry. README.md says how to run it.

pipeline "PIPELINE" {
  description = "Build and publish a function from its archive"
  timeout     = "15m"

  step "object_fetch" "archive" {
    bucket = var.bucket
    key    = var.key
  }
  step "archive_extract" "source" {
    archive = step.archive.file
  }
  step "image_build" "image" {
    context = step.source.directory
    tags    = ["IMAGE:${var.version}"]
  }
  step "image_push" "publish" {
    image       = step.image.image
    destination = "${var.registry}/IMAGE:${var.version}"
  }

  # The example has nothing in it that could run. Once function/ holds a program: -var invoke=true.
  step "container_run" "invoke" {
    when       = var.invoke
    image      = step.publish.reference
    memory     = "128m"
    time_limit = "10s"
  }

  output "reference" { value = step.publish.reference }
  output "result" { value = step.invoke.stdout }
}
