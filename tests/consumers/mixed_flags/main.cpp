// Prints the answers of the parts that this program is made of.

#define X(part) void part();
PARTS
#undef X

int main() {
#define X(part) part();
  PARTS
#undef X
}
