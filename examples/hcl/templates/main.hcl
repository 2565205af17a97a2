# What a pipeline reads from its own folder is read when the plan is made, and travels with the plan.

variable "bucket" {
  type    = string
  default = "functions"
}

variable "names" {
  type    = list(string)
  default = ["Ada", "Grace"]
}

locals {
  pages = fileset("templates", "*.tmpl")
}

pipeline "publish_pages" {
  description = "Write one page from a template and put it into S3"

  step "object_put" "page" {
    bucket       = var.bucket
    key          = "pages/index.html"
    content_type = "text/html; charset=utf-8"
    content = templatefile("templates/index.html.tmpl", {
      title = "Greetings"
      names = var.names
      style = file("templates/style.css")
    })
  }

  output "templates" { value = local.pages }
  output "url" { value = step.page.url }
}
