// The protobuf code generators, in a module of their own: protoc-gen-go is kept at the
// version of the program's own protobuf runtime, and buf asks for another one.
module github.com/falco-reporter/falco-reporter/tools/protoc

go 1.26

tool (
	google.golang.org/grpc/cmd/protoc-gen-go-grpc
	google.golang.org/protobuf/cmd/protoc-gen-go
)

require (
	google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
