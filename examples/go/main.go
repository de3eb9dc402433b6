// Embeds three sentences and prints the cosine of each pair, in Go with a model compiled ahead of time. In a folder with this
// file:
//
//	ggufc compile model.gguf -o model
//	go build -o sentences main.go && ./sentences
package main

// #cgo pkg-config: ggufc-runtime
// #cgo LDFLAGS: ${SRCDIR}/model.o
// #include <stdlib.h>
// #include "model.h"
import "C"

import (
	"fmt"
	"log"
	"runtime"
	"unsafe"
)

// check must run in the thread of the failed call, because each thread has its own error message.
func check(status C.ggufc_status) {
	if status != C.GGUFC_OK {
		log.Fatal(C.GoString(C.ggufc_last_error()))
	}
}

func main() {
	sentences := []string{
		"The cat sleeps on the warm roof of the house.",
		"A cat is asleep on the roof of our house.",
		"Central banks raised interest rates to slow inflation.",
	}
	runtime.LockOSThread()
	var model *C.ggufc_model
	check(C.model_open(nil, nil, &model))
	defer C.ggufc_close(model)

	texts := make([]*C.char, len(sentences)) // C memory: C must not get pointers to Go pointers
	for i, sentence := range sentences {
		texts[i] = C.CString(sentence)
		defer C.free(unsafe.Pointer(texts[i]))
	}
	prompt := C.CString("sentence-similarity")
	defer C.free(unsafe.Pointer(prompt))
	options := C.ggufc_embed_options{size: C.sizeof_ggufc_embed_options, prompt: prompt}
	vectors := make([]float32, len(sentences)*C.MODEL_DIMS)
	check(C.ggufc_embed(model, &texts[0], nil, C.size_t(len(texts)), &options, (*C.float)(&vectors[0]), C.MODEL_DIMS))

	for i := range sentences {
		for j := i + 1; j < len(sentences); j++ {
			cosine := 0.0 // vectors have length 1
			for k := 0; k < C.MODEL_DIMS; k++ {
				cosine += float64(vectors[i*C.MODEL_DIMS+k]) * float64(vectors[j*C.MODEL_DIMS+k])
			}
			fmt.Printf("%d and %d: %.4f\n", i+1, j+1, cosine)
		}
	}
}
