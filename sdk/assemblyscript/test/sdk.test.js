import { play } from "../testing.js";

play(new URL("../build/test.wasm", import.meta.url));
