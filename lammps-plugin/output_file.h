// Files that a run adds to, piece by piece.
#ifndef DIFFNNP_OUTPUT_FILE_H
#define DIFFNNP_OUTPUT_FILE_H

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace diffnnp {

// A file that begins anew with each start of the program, unless the program goes on with it: after a restart file that names it
// was read, and after `clear`. Whoever writes it holds it, so that partitions, or runs side by side, do not write one file.
class OutputFile {
 public:
  // The file of that name, the same for all in this program who write it. Errors show when it is written.
  static std::shared_ptr<OutputFile> named(const std::string &name)
  {
    static std::map<std::string, std::weak_ptr<OutputFile>> open_files;
    std::weak_ptr<OutputFile> &place = open_files[key(name)];
    std::shared_ptr<OutputFile> file = place.lock();
    if (!file) place = file = std::shared_ptr<OutputFile>(new OutputFile(name));
    return file;
  }

  // What is in the file is to be kept.
  static void go_on_with(const std::string &name) { begun().insert(key(name)); }

  ~OutputFile() { close_file(); }
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  // Opens the file where it is not. Returns what is wrong, "" for nothing.
  std::string hold()
  {
    struct stat status;
    if (file >= 0 && fstat(file, &status) == 0 && status.st_nlink > 0) return "";
    close_file();
    file = open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return strerror(errno);
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close_file();
      return "another partition or program is writing it; give each a name of its own, such as NAME.${partition} with a "
             "variable of style world";
    }
    return "";
  }

  // Adds all of the text, or nothing; before it `head`, where the file is empty. Returns what is wrong, "" for nothing.
  std::string append(const std::string &head, const std::string &text)
  {
    const std::string reason = hold();
    if (!reason.empty()) return reason;
    if (begun().insert(key(name)).second) {
      if (written_by_another()) {
        return "another partition or program has written it since this one began; give each a name of its own, such as "
               "NAME.${partition} with a variable of style world";
      }
      if (ftruncate(file, 0) != 0 && errno != EINVAL) return strerror(errno);
    }
    const off_t size = lseek(file, 0, SEEK_END);
    const int error = write_all(size > 0 ? text : head + text);
    if (error == 0) return "";
    (void) !ftruncate(file, size);
    close_file();
    return strerror(error);
  }

 private:
  // Whether the file, which this program has not begun to write, has changed since the program began: another that has already ended
  // holds no lock.
  bool written_by_another() const
  {
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size == 0) return false;
    return status.st_mtim.tv_sec + 1e-9 * status.st_mtim.tv_nsec > start_of_program();
  }

  // Seconds since 1970; infinity where the system does not say.
  static double start_of_program()
  {
    std::ifstream stream("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    // The name of the program, in parentheses, may have spaces; the start is the 22nd field, and the second behind it is the 3rd.
    const size_t end = text.rfind(')');
    if (end == std::string::npos) return INFINITY;
    std::istringstream fields(text.substr(end + 1));
    std::string field;
    for (int k = 3; k <= 22; k++) fields >> field;
    struct timespec now, since_boot;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    const double boot = now.tv_sec - since_boot.tv_sec + 1e-9 * (now.tv_nsec - since_boot.tv_nsec);
    return fields ? boot + std::stod(field) / sysconf(_SC_CLK_TCK) : INFINITY;
  }

  const std::string name;
  int file = -1;

  explicit OutputFile(const std::string &name) : name(std::filesystem::absolute(name)) {}

  static std::string key(const std::string &name) { return std::filesystem::absolute(name).lexically_normal(); }

  // Files that this program has begun to write.
  static std::set<std::string> &begun()
  {
    static std::set<std::string> names;
    return names;
  }

  // Returns an errno, 0 where all went well.
  int write_all(const std::string &text) const
  {
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t count = write(file, text.data() + done, text.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return count < 0 ? errno : EIO;
      done += count;
    }
    return 0;
  }

  void close_file()
  {
    if (file >= 0) close(file);
    file = -1;
  }
};

}    // namespace diffnnp

#endif
