// Declarations of the names that LAMMPS's headers use of the formatting library inside LAMMPS, whose headers are not
// installed. They have no definitions, so that only functions that take a std::string may be called.
#ifndef DIFFNNP_FMT_FORMAT_H
#define DIFFNNP_FMT_FORMAT_H

#include <string>

namespace fmt {
inline namespace v7_lmp {

template <typename Char> class basic_string_view {
 public:
  basic_string_view(const Char *);
  basic_string_view(const std::basic_string<Char> &);
};
using string_view = basic_string_view<char>;

struct format_args {};

template <typename... Args, typename Format> format_args make_args_checked(const Format &, const Args &...);

}    // namespace v7_lmp
}    // namespace fmt

#endif
