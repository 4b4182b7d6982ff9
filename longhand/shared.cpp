// CMake wants a source of its own for a library. The shared one is made of the objects of the static one.
