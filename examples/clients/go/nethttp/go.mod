module authreset.example/nethttp

go 1.19
