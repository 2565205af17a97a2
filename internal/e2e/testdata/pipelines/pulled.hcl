# Nothing here says who pulls the image, and who runs it: worker.hcl does.

variable "image" { type = string }

variable "command" { type = list(string) }

pipeline "pulled" {
  step "image_pull" "image" {
    reference = var.image
  }
  step "container_run" "invoke" {
    image      = step.image.image
    command    = var.command
    env        = { A = "given" }
    stdin      = "some\ninput"
    time_limit = "1m"
  }
  output "exit_code" { value = step.invoke.exit_code }
  output "stdout" { value = step.invoke.stdout }
  output "stderr" { value = step.invoke.stderr }
  output "limits" { value = step.invoke.receipt.limits }
}
