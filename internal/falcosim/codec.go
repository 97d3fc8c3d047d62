package falcosim

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that ours completes
	"google.golang.org/grpc/mem"
)

// message is an encoded falco.outputs.response.
type message []byte

// codec is the standard protobuf codec, but it sends a message as it is: the standard encoder
// would refuse the invalid UTF-8 that Falco sends.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(message); ok {
		return mem.BufferSlice{mem.SliceBuffer(m)}, nil
	}
	return c.CodecV2.Marshal(v)
}
