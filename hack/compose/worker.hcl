# The worker of docker-compose.test.yml. It shares the host's network, so the addresses are those of the published ports.
temporal {
  address   = "127.0.0.1:7233"
  namespace = "default"
}

store {
  url = "s3://cpub-store?endpoint=http://127.0.0.1:9000&region=us-east-1&use_path_style=true"
}

provider "s3" "main" {
  path = "/usr/lib/cpub/cpub-provider-s3"
  config {
    endpoint          = "http://127.0.0.1:9000"
    region            = "us-east-1"
    path_style        = true
    access_key_id     = "cpub"
    secret_access_key = "cpub-secret"
  }
}

provider "archive" "main" {
  path = "/usr/lib/cpub/cpub-provider-archive"
}

provider "podman" "host" {
  path           = "/usr/lib/cpub/cpub-provider-podman"
  max_concurrent = 10
  config { connection = "unix:///run/podman/podman.sock" }
}

registry "localhost:5000" { insecure = true }

policy {
  buckets  = ["functions"]
  networks = ["none"]
  registries {
    pull = ["localhost:5000/*"]
    push = ["localhost:5000/*"]
    from = ["localhost:5000/*"]
  }
  max {
    memory     = "1GiB"
    cpus       = 2
    pids       = 1024
    time_limit = "10m"
  }
}
