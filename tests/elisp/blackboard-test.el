;;; blackboard-test.el --- The blackboard in Emacs  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; With the fake sidecar what is written and asked for, with the real one what
;; becomes of the file when others have changed it.  How boards are merged is
;; tested in tests/replica/blackboard.

;;; Code:

(require 'test-helper)

(defconst blackboard-test-other (concat "peer-" (make-string 52 ?b)))

(defun blackboard-test-text (file)
  "Return the text of FILE."
  (with-temp-buffer
    (insert-file-contents file)
    (buffer-string)))

(defun blackboard-test-write (text file)
  "Write TEXT into FILE."
  (make-directory (file-name-directory file) t)
  (let ((coding-system-for-write 'utf-8-unix))
    (write-region text nil file nil 'silent)))

(defun blackboard-test-replace (from to file)
  "Replace FROM by TO in FILE."
  (let ((text (blackboard-test-text file)))
    (should (string-match-p (regexp-quote from) text))
    (blackboard-test-write (string-replace from to text) file)))

(defun blackboard-test-forget ()
  "Bring the blackboard's variables into the state after loading."
  (setq meta-log-federation--known nil
        meta-log-federation--told nil)
  (when meta-log-federation--timer
    (cancel-timer meta-log-federation--timer)
    (setq meta-log-federation--timer nil))
  (remove-hook 'find-file-hook #'meta-log-federation--visited)
  (remove-hook 'meta-log-peer-sync-core-changed-functions #'meta-log-federation--on-event)
  (remove-hook 'meta-log-peer-sync-core-ready-functions #'meta-log-federation--on-ready))

(defmacro blackboard-test-with-fake (&rest body)
  "Run BODY with the fake sidecar; `board' is the blackboard's file."
  (declare (indent 0))
  `(test-helper-with-fake
     (let* ((board (expand-file-name "board.org" folder))
            (meta-log-federation-blackboard-file board))
       (unwind-protect (progn ,@body) (blackboard-test-forget)))))

(defmacro blackboard-test-with-real (&rest body)
  "Run BODY with the real sidecar; `board' is the blackboard's file."
  (declare (indent 0))
  `(let ((python (getenv "MLPS_PYTHON")))
     (skip-unless (and python (file-executable-p python)))
     (test-helper-call
      (lambda (folder)
        (setenv "PYTHONPATH" (expand-file-name "../.." test-helper-folder))
        (setenv "META_LOG_MQTT_BROKER" "mqtt://127.0.0.1:1")
        (setenv "XDG_RUNTIME_DIR" folder)
        (let* ((meta-log-peer-sync-rpc-program (list python "-m" "federation"))
               (inhibit-interaction t)
               (meta-log-federation-blackboard-file nil)
               (board (meta-log-federation-blackboard)))
          (unwind-protect
              (progn ,@body)
            (let ((buffer (find-buffer-visiting board)))
              (when buffer
                (with-current-buffer buffer
                  (set-buffer-modified-p nil)
                  (kill-buffer))))
            (blackboard-test-forget)))))))

(defun blackboard-test-sync ()
  "Sync the blackboard, and wait until that is done."
  (setq test-helper-messages nil)
  (meta-log-federation-sync-blackboard)
  (should (test-helper-until (test-helper-said "the blackboard is synced"))))

(defun blackboard-test-others-replace (from to folder)
  "Replace FROM by TO in the document, as somebody else would, by way of FOLDER."
  (let ((theirs (expand-file-name "theirs/federation-blackboard.org" folder)) base done)
    (make-directory (file-name-directory theirs) t)
    (copy-file (expand-file-name "synced/federation-blackboard.org"
                                 meta-log-peer-sync-state-directory)
               theirs t)
    (setq base (meta-log-federation--hash theirs))
    (blackboard-test-replace from to theirs)
    (meta-log-peer-sync-core-sync-file theirs (lambda (answer) (setq done answer)) base)
    (should (test-helper-until done))))

(defun blackboard-test-hear ()
  "Hear that the document has changed."
  (meta-log-peer-sync-core--on-event
   (list :event "document-changed" :file "federation-blackboard.org" :time "t"
         :peer_id blackboard-test-other :revision (make-string 64 ?1)
         :path "/nonexistent/federation-blackboard.org" :size 1)))

;;;; What is written

(ert-deftest blackboard-test-keeps-what-people-wrote ()
  (blackboard-test-with-fake
    (let ((text (concat "* Our board\n\nSome words: [[x][y]]\n\n** Peers\n\n*** Peer: "
                        blackboard-test-other "\n:PROPERTIES:\n:PEER_ID: " blackboard-test-other
                        "\n:PEER_STATUS: offline\n:NOTE: my own\n:END:\nA good friend.\n\n"
                        "** Ideas\n\n- one\n")))
      (blackboard-test-write text board)
      (dotimes (n 2)
        (should (equal (meta-log-federation-sync-blackboard) board))
        (should (test-helper-until (= (length (test-helper-logged "sync.file")) (1+ n)))))
      (let ((now (blackboard-test-text board)))
        (dolist (line (split-string text "\n" t))
          (unless (string-prefix-p ":PEER_STATUS" line)
            (should (string-match-p (regexp-quote line) now))))
        (should (string-match-p ":PEER_STATUS: connected" now))
        (should (= 1 (cl-count-if (lambda (line) (equal line ":NODE_ID: a.canvasl"))
                                  (split-string now "\n"))))))))

(ert-deftest blackboard-test-goes-out-under-its-name ()
  (blackboard-test-with-fake
    (blackboard-test-write "* Mine\n" board)
    (let ((base (meta-log-federation--hash board)) sent)
      (meta-log-federation-sync-blackboard)
      (should (test-helper-until (setq sent (car (test-helper-logged "sync.file")))))
      (should (equal (file-name-nondirectory (plist-get sent :path))
                     "federation-blackboard.org"))
      (should (equal (plist-get sent :base) base))
      (should (equal (blackboard-test-text (plist-get sent :path))
                     (blackboard-test-text board))))))

(ert-deftest blackboard-test-unsaved-changes-are-refused ()
  (blackboard-test-with-fake
    (blackboard-test-write "* Mine\n" board)
    (with-current-buffer (find-file-noselect board)
      (unwind-protect
          (progn
            (insert "x")
            (should-error (meta-log-federation-sync-blackboard) :type 'user-error)
            (should-not (test-helper-logged "sync.file")))
        (set-buffer-modified-p nil)
        (kill-buffer)))))

(ert-deftest blackboard-test-what-may-be-replaced ()
  (cl-flet ((may (states &optional known)
              (let ((meta-log-federation--known known))
                (and (meta-log-federation--replaceable-p
                      "h" (mapcar (lambda (state) (list :content_hash "h" :state state)) states))
                     t))))
    (should (meta-log-federation--replaceable-p nil nil))
    (should-not (may nil))
    (should (may nil "h"))
    (should-not (may nil "other"))
    (dolist (state '("past" "current" "merged")) (should (may (list state))))
    (should-not (may '("concurrent") "h"))
    (should-not (may '("past" "concurrent")))
    (should (may '("current" "concurrent")))))

;; A board is read and written in time that grows with its size, whatever it holds.
(ert-deftest blackboard-test-many ()
  (let ((start (float-time))
        (documents (cl-loop for n below 1000
                            collect (list :file (format "dir/doc %d.canvasl" n)
                                          :revision (make-string 64 ?a)
                                          :peer_id blackboard-test-other
                                          :time "2026-01-07T12:00:00.000Z"))))
    (with-temp-buffer
      (meta-log-federation--head)
      (dotimes (_ 2)
        (let ((index (meta-log-federation--index)))
          (meta-log-federation--write-known index documents)
          (meta-log-federation--insert-new index)))
      (should (= 1000 (length (meta-log-federation--entries)))))
    (dolist (text (list (apply #'concat (make-list 20000 "*** x\n:PROPERTIES:\n"))
                        (concat "*** x\n:PROPERTIES:\n:A: " (make-string 500000 ?\s) "x\n")
                        (concat "*** x\n:PROPERTIES:\n"
                                (apply #'concat (make-list 50000 ":A: b\n")))))
      (with-temp-buffer
        (insert text)
        (should (= 0 (hash-table-count (meta-log-federation--index))))))
    (should (< (- (float-time) start) 5))))

;;;; What others write

(ert-deftest blackboard-test-follows-the-document ()
  (blackboard-test-with-real
    (meta-log-federation-init)
    (blackboard-test-sync)
    (should (test-helper-until (file-exists-p (expand-file-name
                                               "synced/federation-blackboard.org"
                                               meta-log-peer-sync-state-directory))))
    (with-current-buffer (find-file-noselect board)
      (should (eq major-mode 'org-mode))
      (goto-char (point-max))
      (blackboard-test-others-replace "** CanvasL State" "** Ideas\n\n** CanvasL State" folder)
      (blackboard-test-hear)
      (should (test-helper-until (save-excursion
                                   (goto-char (point-min))
                                   (search-forward "\n** Ideas\n" nil t))))
      (should-not (buffer-modified-p))
      (should (verify-visited-file-modtime))
      (should (equal (buffer-string) (blackboard-test-text board)))
      (should (= (point) (point-max))))))

(ert-deftest blackboard-test-unsaved-text-stays ()
  (blackboard-test-with-real
    (meta-log-federation-init)
    (blackboard-test-sync)
    (with-current-buffer (find-file-noselect board)
      (goto-char (point-max))
      (insert "** Mine\n")
      (blackboard-test-others-replace "** CanvasL State" "** Ideas\n\n** CanvasL State" folder)
      (blackboard-test-hear)
      (should (test-helper-until (test-helper-said "others have changed the blackboard")))
      (should (buffer-modified-p))
      (should-not (string-match-p "Ideas" (buffer-string)))
      (should-not (string-match-p "Ideas" (blackboard-test-text board))))))

(ert-deftest blackboard-test-saved-text-that-was-not-synced-stays ()
  (blackboard-test-with-real
    (meta-log-federation-init)
    (blackboard-test-sync)
    (blackboard-test-replace "** Peers" "** Mine\n\n** Peers" board)
    (blackboard-test-others-replace "** CanvasL State" "** Ideas\n\n** CanvasL State" folder)
    (let (done)
      (meta-log-federation--take (lambda () (setq done t)))
      (should (test-helper-until done)))
    (should (string-match-p "Mine" (blackboard-test-text board)))
    (should-not (string-match-p "Ideas" (blackboard-test-text board)))))

(ert-deftest blackboard-test-both-changes-meet ()
  (blackboard-test-with-real
    (meta-log-federation-init)
    (blackboard-test-sync)
    (blackboard-test-others-replace "** CanvasL State" "** Ideas\n\n** CanvasL State" folder)
    (blackboard-test-replace "** Peers" "** Mine\n\n** Peers" board)
    (blackboard-test-sync)
    (should (test-helper-until (string-match-p "Ideas" (blackboard-test-text board))))
    (should (string-match-p "\\*\\* Mine\n" (blackboard-test-text board)))
    (should (= 1 (cl-count "** Peers" (split-string (blackboard-test-text board) "\n")
                           :test #'equal)))))

(ert-deftest blackboard-test-a-second-machine-begins-with-the-shared-one ()
  (blackboard-test-with-real
    (meta-log-federation-init)
    (blackboard-test-sync)
    (blackboard-test-others-replace "** CanvasL State" "** Ideas\n\n** CanvasL State" folder)
    (delete-file board)
    (setq meta-log-federation--known nil)
    (blackboard-test-sync)
    (should (string-match-p "\n\\*\\* Ideas\n" (blackboard-test-text board)))))

;;;; What others write is not obeyed

(defvar blackboard-test-ran nil "What the text of a board has made Emacs do.")
(defun blackboard-test-evil-mode ()
  "A mode that a source block could name."
  (interactive)
  (push 'mode blackboard-test-ran))

(ert-deftest blackboard-test-opens-inert ()
  (blackboard-test-with-fake
    (setq blackboard-test-ran nil)
    (blackboard-test-write
     (concat "# -*- eval: (push 'cookie blackboard-test-ran) -*-\n"
             "#+SEQ_TODO: EVIL | DONE\n#+STARTUP: num\n#+SETUPFILE: " board ".setup\n"
             "#+MACRO: m (eval (push 'macro blackboard-test-ran))\n"
             "#+LINK: l %(blackboard-test-evil-mode)\n"
             "* EVIL x\n{{{m}}} [[l:x]]\n"
             "#+begin_src blackboard-test-evil\nx\n#+end_src\n"
             "* Local\n# Local " "Variables:\n# fill-column: 33\n"
             "# eval: (push 'local blackboard-test-ran)\n# End:\n")
     board)
    (blackboard-test-write "#+SEQ_TODO: SETUP | DONE\n" (concat board ".setup"))
    (meta-log-federation-init)
    (let ((enable-local-variables :all) (enable-local-eval t))
      (with-current-buffer (find-file-noselect board)
        (dotimes (n 2)
          (should (eq major-mode 'org-mode))
          (should (/= fill-column 33))
          (should-not (member "EVIL" org-todo-keywords-1))
          (should-not (member "SETUP" org-todo-keywords-1))
          (should-not (assoc "m" org-macro-templates))
          (should-not org-link-abbrev-alist-local)
          (should-not (bound-and-true-p org-num-mode))
          (font-lock-mode 1)
          (font-lock-ensure)
          (should-not blackboard-test-ran)
          (when (= n 0) (revert-buffer t t)))
        (should (equal (buffer-string) (blackboard-test-text board)))
        (kill-buffer)))))

(ert-deftest blackboard-test-a-board-that-was-open-becomes-inert ()
  (blackboard-test-with-fake
    (blackboard-test-write "#+SEQ_TODO: EVIL | DONE\n* EVIL x\n" board)
    (with-current-buffer (find-file-noselect board)
      (should (member "EVIL" org-todo-keywords-1))
      (meta-log-federation-init)
      (should meta-log-peer-sync-guard--inert)
      (should (eq major-mode 'org-mode))
      (should-not (member "EVIL" org-todo-keywords-1))
      (kill-buffer))))

(ert-deftest blackboard-test-other-org-files-open-as-usual ()
  (blackboard-test-with-fake
    (meta-log-federation-init)
    (let ((file (concat (file-name-sans-extension board) "s.org")))
      (blackboard-test-write "#+SEQ_TODO: MINE | DONE\n" file)
      (with-current-buffer (find-file-noselect file)
        (should-not meta-log-peer-sync-guard--inert)
        (should (member "MINE" org-todo-keywords-1))
        (kill-buffer)))))

(provide 'blackboard-test)
;;; blackboard-test.el ends here
