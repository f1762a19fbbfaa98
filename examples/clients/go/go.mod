module authreset.example/client

go 1.21

require github.com/payabli/sdk-go v1.0.14
